import numpy as np
import pytest
import torch
from torch import nn

from fbm.data.clips import ClipDataset
from fbm.data.store.frame_store import FrameStore
from fbm.evaluation.probing.swaps import Grid, chosen_samples, compose, swaps
from fbm.models.disentangler import FOREGROUND_THRESHOLD, Disentangler, split_features
from fbm.models.encoder import C3DEncoder
from tests.tiny import make_store


@pytest.fixture(scope="module")
def network(clips) -> Disentangler:
    """Its batch norms know its features; fresh ones would make every picture nearly the same grey."""
    torch.manual_seed(0)
    made = Disentangler(C3DEncoder(4, 8, 32)).train()
    for norm in made.modules():
        if isinstance(norm, nn.modules.batchnorm._BatchNorm):
            norm.momentum = 1.0
    with torch.no_grad():
        made(clips)
    return made.eval()


@pytest.fixture(scope="module")
def clips() -> torch.Tensor:
    return torch.randn(3, 3, 8, 32, 32, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def grids(network, clips) -> dict[str, Grid]:
    return swaps(network, clips, ["a", "b", "c"])


@pytest.fixture(scope="module")
def split_of_twelve(tmp_path_factory) -> ClipDataset:
    """Four clips each of three classes."""
    return ClipDataset(FrameStore(make_store(tmp_path_factory.mktemp("swaps"))), "test", 32, 16, seed=0)


@pytest.mark.parametrize(
    ("count", "samples"), [(1, [2]), (2, [1, 11]), (3, [0, 6, 11]), (5, [0, 3, 6, 8, 11]), (50, list(range(12)))]
)
def test_sources_are_spread_over_classes_and_groups(split_of_twelve, count, samples):
    assert chosen_samples(split_of_twelve, count) == samples


def test_each_cell_is_the_rows_foreground_moved_by_the_columns_motion(network, clips, grids):
    with torch.no_grad():
        own = split_features(network.encoder(clips))
        kernels = network.kernel_decoder(own.motion)
        for row in range(3):
            for column in range(3):
                moved = network.cross_convolution(own.foreground[row : row + 1], kernels[column : column + 1])
                expected = network.foreground_decoder(moved)[0]
                torch.testing.assert_close(grids["motion"].cells[row, column], expected, atol=1e-5, rtol=1e-4)
    for one, other in (((0, 1), (1, 0)), ((0, 0), (0, 1)), ((0, 0), (1, 0))):
        assert (grids["motion"].cells[one] - grids["motion"].cells[other]).abs().max() > 0.1


def test_own_with_own_is_the_networks_reconstruction(network, clips, grids):
    with torch.no_grad():
        own = network(clips).reconstruction
    for number in range(3):
        torch.testing.assert_close(
            grids["motion"].cells[number, number], own.last_foreground[number], atol=1e-5, rtol=1e-4
        )
        composed = compose(own.first_foreground[number : number + 1], own.first_background[number : number + 1])[0]
        close = torch.isclose(grids["background"].cells[number, number], composed, atol=1e-5).float().mean()
        assert close > 0.999  # a pixel on the threshold may fall either way


def test_backgrounds_change_along_a_row_and_foregrounds_along_a_column(network, clips, grids):
    with torch.no_grad():
        own = network(clips).reconstruction
    cells = grids["background"].cells
    for row, column in np.ndindex(3, 3):
        from_one = torch.isclose(cells[row, column], own.first_foreground[row], atol=1e-5)
        from_other = torch.isclose(cells[row, column], own.first_background[column], atol=1e-5)
        assert (from_one | from_other).all()
        assert min(from_one.float().mean(), from_other.float().mean()) < 0.9


def test_margins_show_the_sources(network, clips, grids):
    rows, columns = grids["motion"].rows, grids["motion"].columns
    assert rows.names == columns.names == ("a", "b", "c")
    assert torch.equal(columns.pictures[:, 0], clips[:, :, 0])
    assert torch.equal(columns.pictures[:, 1], clips[:, :, -1])
    assert torch.equal(rows.pictures[:, 0], clips[:, :, 0])
    with torch.no_grad():
        own = network(clips).reconstruction
    torch.testing.assert_close(rows.pictures[:, 1], own.first_foreground)
    torch.testing.assert_close(grids["background"].columns.pictures[:, 1], own.first_background)


def test_a_foreground_covers_the_background_where_it_shows():
    foreground, background = torch.zeros(1, 3, 2, 2), torch.full((1, 3, 2, 2), 0.5)
    foreground[0, 1, 0, 0] = -FOREGROUND_THRESHOLD - 0.01  # one channel is enough, to either side of grey
    foreground[0, :, 1, 1] = FOREGROUND_THRESHOLD - 0.01
    found = compose(foreground, background)
    assert torch.equal(found[0, :, 0, 0], foreground[0, :, 0, 0])
    assert (found[0, :, 1, 1] == 0.5).all()
    assert (found[0, :, 0, 1] == 0.5).all()
