import io

import numpy as np
import pytest
import torch
from matplotlib.patches import Rectangle

from fbm.evaluation.probing.draw import GAP, SOURCE, draw_grid
from fbm.evaluation.probing.swaps import Grid, Margin

COUNT, START = 3, SOURCE + GAP


def grey(*shape: int, start: int) -> torch.Tensor:
    """Frames of one grey each, all different: (start + n) / 100 on the scale of pixels."""
    numbers = torch.arange(float(np.prod(shape))).add(start).view(*shape, 1, 1, 1)
    return (numbers / 100 * 2 - 1).expand(*shape, 3, 4, 4)


@pytest.fixture(scope="module")
def axis():
    rows = Margin("foreground of", ("r0", "r1", "r2"), ("as it is", "decoded"), grey(COUNT, SOURCE, start=0))
    columns = Margin("motion of", ("c0", "c1", "c2"), ("first", "last"), grey(COUNT, SOURCE, start=20))
    [made] = draw_grid(Grid("Both", rows, columns, grey(COUNT, COUNT, start=50))).axes
    return made


def test_every_picture_hangs_in_its_place(axis):
    shown = {}
    for image in axis.images:
        left, right, bottom, top = image.get_extent()
        assert right - left == pytest.approx(bottom - top)
        shown[round((left + right) / 2 - 0.5, 3), round((top + bottom) / 2 - 0.5, 3)] = float(
            image.get_array()[0, 0, 0]
        )
    expected = {(START + c, START + r): (50 + 3 * r + c) / 100 for r in range(COUNT) for c in range(COUNT)}
    expected |= {(w, START + r): (2 * r + w) / 100 for r in range(COUNT) for w in range(SOURCE)}
    expected |= {(START + c, w): (20 + 2 * c + w) / 100 for c in range(COUNT) for w in range(SOURCE)}
    assert shown == pytest.approx({(round(x, 3), round(y, 3)): value for (x, y), value in expected.items()})
    assert axis.get_ylim()[0] > axis.get_ylim()[1]  # rows go down


def test_own_with_own_is_framed(axis):
    frames = [patch.get_xy() for patch in axis.patches if isinstance(patch, Rectangle)]
    assert frames == [(START + n, START + n) for n in range(COUNT)]


def test_sources_and_what_is_taken_from_them_are_named(axis):
    texts = {text.get_text(): text.get_position() for text in axis.texts}
    for n in range(COUNT):
        assert texts[f"c{n}"] == pytest.approx((START + n + 0.5, 0), abs=0.05)
        assert texts[f"r{n}"] == pytest.approx((0, START + n + 0.5), abs=0.05)
    assert {"as it is", "decoded", "first", "last", "motion of  →", "foreground of  ↓"} <= texts.keys()
    assert [text.get_text() for text in axis.figure.texts] == ["Both"]


def test_names_are_no_formulas():
    margin = Margin("motion of", ("$c^$", "a_b", "100 %"), ("first", "last"), grey(COUNT, SOURCE, start=0))
    figure = draw_grid(Grid("Both", margin, margin, grey(COUNT, COUNT, start=50)))
    figure.savefig(io.BytesIO(), format="png")
    assert "$c^$" in [text.get_text() for text in figure.axes[0].texts]
