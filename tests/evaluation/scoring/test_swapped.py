"""The judge on drawn squares and bars, and swap accuracy of networks that are perfect, mixed, or ignore a part."""

from collections.abc import Iterable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fbm.evaluation.probing.intervals import Resampling
from fbm.evaluation.probing.probes import ProbeTarget
from fbm.evaluation.scoring.judge import Judge, Shown, inputs
from fbm.evaluation.scoring.swapped import Swaps, decoded, drawn_partners
from fbm.models.disentangler import Features, Reconstruction
from fbm.runs.probes import Score

SIZE = 32
MOTIONS, OBJECTS, SCENES = ("across", "down"), ("lying", "standing"), ("columns", "rows")
TRAIN, TEST = 48, 16


def draw(kinds: np.ndarray, seed: int) -> Shown:
    """Clips of a motion, an object and a scene each, `N 3` of 0 and 1."""
    rng = np.random.default_rng(seed)
    first, last = torch.zeros(len(kinds), 3, SIZE, SIZE), torch.zeros(len(kinds), 3, SIZE, SIZE)
    line = torch.arange(SIZE)
    frames = torch.zeros(len(kinds), 3, SIZE, SIZE)
    for number, (motion, item, scene) in enumerate(kinds):
        height, width = ((6, 14), (14, 6))[item]
        y, x = rng.integers(2, 6, 2)
        way = int(rng.integers(8, 11))
        first[number, :, y : y + height, x : x + width] = 0.8
        y, x = (y, x + way) if motion == 0 else (y + way, x)
        last[number, :, y : y + height, x : x + width] = 0.8
        stripes = ((line + int(rng.integers(4))) % 4 < 2).float() - 0.5
        frames[number] = stripes[None, :] if scene == 0 else stripes[:, None]
    return Shown(first, last, torch.where(first > 0, first, frames))


def kinds(count: int) -> np.ndarray:
    """All eight combinations in turn."""
    numbers = np.arange(count)
    return np.stack([numbers % 2, numbers // 2 % 2, numbers // 4 % 2], axis=1)


def named(values: np.ndarray, column: int) -> np.ndarray:
    return np.array([(MOTIONS, OBJECTS, SCENES)[column][value] for value in values[:, column]])


TARGETS = {
    factor: ProbeTarget(factor, {"train": named(kinds(TRAIN), column), "test": named(kinds(TEST), column)}, 2)
    for column, factor in enumerate(("motion", "object", "scene"))
}


class Drawing(nn.Module):
    """A network whose parts are the kinds themselves, one number each, and which draws what they say.

    Args:
        follows: from which part each of motion, object and scene is drawn.
    """

    def __init__(self, follows: tuple[str, str, str]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.follows = follows

    def decode(self, features: Features, frames: Iterable[str]) -> dict[str, Tensor]:
        values = [getattr(features, part)[:, 0, 0, 0].round().long().numpy() for part in self.follows]
        shown = draw(np.stack(values, axis=1), seed=5)
        background = torch.where(shown.first > 0, torch.zeros(()), shown.frame)
        made = Reconstruction(shown.first, background, shown.last)
        return {name: getattr(made, name) for name in frames}


PERFECT = ("motion", "foreground", "background")


def maps() -> Tensor:
    """Test clips' features, `N 3 1 1`: the channels are background, foreground, motion."""
    return torch.from_numpy(kinds(TEST)[:, ::-1].copy()).float()[..., None, None]


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge(draw(kinds(TRAIN), 0), TARGETS)


@pytest.fixture(scope="module")
def swaps(judge) -> Swaps:
    made = Swaps.__new__(Swaps)
    made.targets, made.how = TARGETS, Resampling(50, 0)
    made.groups = np.arange(TEST) // 2
    made.judge, made.shown = judge, draw(kinds(TEST), 1)
    return made


@pytest.mark.parametrize("factor", ["motion", "object", "scene"])
def test_the_judge_knows_clips_it_has_not_seen(judge, factor):
    assert judge.correct(factor, draw(kinds(TEST), 1).of(factor), TARGETS[factor].labels["test"]).all()


def test_each_factor_is_judged_by_what_can_show_it(judge):
    """An object by the last foreground, a motion by both, a scene by the frame: other pictures change nothing."""
    shown, other = draw(kinds(TEST), 1), draw(kinds(TEST)[::-1], 2)
    seen = {"motion": {"first", "last"}, "object": {"last"}, "scene": {"frame"}}
    for factor, pictures in seen.items():
        before = inputs(factor, shown.of(factor))
        for name in Shown._fields:
            after = inputs(factor, shown._replace(**{name: getattr(other, name)}).of(factor))
            assert np.allclose(before, after) is (name not in pictures), (factor, name)


def test_nothing_shown_is_judged_all_the_same(judge):
    empty = Shown(*(torch.zeros(2, 3, SIZE, SIZE) for _ in Shown._fields))
    for factor in TARGETS:
        assert judge.correct(factor, empty.of(factor), np.array(["neither"] * 2)).tolist() == [False, False]


def scores(swaps: Swaps, network: Drawing, features: Tensor | None = None) -> dict[str, Score]:
    trained = maps() if features is None else features
    found = swaps.scores(network, trained, torch.zeros_like(trained), (0, 1, 2))  # type: ignore[arg-type]
    return {score.name: score for score in found}


def value(score: Score) -> float:
    assert score.value
    return score.value.value


def test_a_perfect_network_follows_the_sources(swaps):
    found = scores(swaps, Drawing(PERFECT))
    for factor in TARGETS:
        assert [value(found[f"{factor}, {how}"]) for how in ("swapped", "not swapped", "real clips")] == [1, 1, 1]
        assert found[f"{factor}, swapped"].chance == 0.5
        control = found[f"{factor}, not swapped"].untrained  # features that say nothing
        assert control
        assert control.value == pytest.approx(0.5, abs=0.1)
        assert found[f"{factor}, real clips"].untrained is None
        assert found[f"{factor}, not swapped"].permuted is None


def test_what_is_drawn_from_a_wrong_part_does_not_follow(swaps):
    """Motion is held and drawn by the background, the scene by the motion: reconstructions are right, swaps are not."""
    crossed = maps()[:, [2, 1, 0]]
    found = scores(swaps, Drawing(("background", "foreground", "motion")), crossed)
    assert [value(found[f"{factor}, not swapped"]) for factor in TARGETS] == [1, 1, 1]
    assert [value(found[f"{factor}, swapped"]) for factor in TARGETS] == [0, 1, 0]


def test_every_clip_is_the_partner_of_one_other_clip():
    for seed in range(5):
        partners = drawn_partners(7, seed)
        assert sorted(partners) == list(range(7))
        assert (partners != np.arange(7)).all()
    assert (drawn_partners(7, 0) != drawn_partners(7, 1)).any()


def test_permuted_channels_swap_something_else(swaps):
    found = scores(swaps, Drawing(PERFECT))
    null = found["motion, swapped"].permuted
    assert null is not None
    assert null < 1


def test_the_channels_of_the_part_are_those_that_are_taken():
    one, other = torch.zeros(2, 3, 1, 1), torch.ones(2, 3, 1, 1)
    seen: list[Features] = []

    class Watching(Drawing):
        def decode(self, features: Features, frames: Iterable[str]) -> dict[str, Tensor]:
            seen.append(features)
            return super().decode(features, frames)

    for order in (range(3), [2, 1, 0]):
        decoded(Watching(PERFECT), one, other, "motion", order, "motion")  # type: ignore[arg-type]
    assert [float(part.mean()) for part in seen[0]] == [1, 0, 0]
    assert [float(part.mean()) for part in seen[1]] == [0, 0, 1]  # the background's channel in its place
    assert one.sum() == 0
