"""Similarity and dynamic share of made features: motion changes with the order of frames, appearance with colours."""

import pytest
import torch
from torch import Tensor

from fbm.data.clips import ClipDataset
from fbm.data.store.frame_store import FrameStore
from fbm.evaluation.probing.intervals import Resampling
from fbm.evaluation.scoring.parts import Views, part_scores
from fbm.runs.probes import Score
from tests.tiny import make_store

HOW = Resampling(50, 0)
THIRD = 4  # channels of a part
PARTS = {"background": slice(0, 4), "foreground": slice(4, 8), "motion": slice(8, 12)}


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> ClipDataset:
    """Twelve test clips of six groups."""
    return ClipDataset(FrameStore(make_store(tmp_path_factory.mktemp("parts"))), "test", 32, 16, seed=0)


def noise(seed: int) -> Tensor:
    return torch.randn(12, 3 * THIRD, 2, 2, generator=torch.Generator().manual_seed(seed))


def views(moving: set[str]) -> Views:
    """Features whose parts in `moving` are those of the motion, the others of the appearance."""
    original = noise(0)
    shuffled, recoloured = noise(1), noise(2)
    for part, channels in PARTS.items():
        (recoloured if part in moving else shuffled)[:, channels] = original[:, channels]
    return Views(original, shuffled, recoloured)


def measured(trained: Views, untrained: Views, clips: ClipDataset, disentangled: bool = True) -> dict[str, Score]:
    found = part_scores(trained, untrained, clips, disentangled, (0, 1), HOW)
    return {score.name: score for score in found}


def value(score: Score) -> float:
    assert score.value
    return score.value.value


def test_disentangled_swapped_and_mixed_parts(clips):
    found = measured(views({"motion"}), views({"background"}), clips)
    assert list(found) == [
        *("motion, foreground", "motion, background", "foreground, background"),
        *("motion", "foreground", "background", "all"),
    ]
    assert value(found["motion"]) > 0.9
    assert max(value(found["foreground"]), value(found["background"])) < 0.1
    assert 0.2 < value(found["all"]) < 0.5
    assert found["motion"].untrained
    assert found["motion"].untrained.value < 0.1
    # Dealt at random every part holds a third of the motion.
    for part in PARTS:
        null = found[part].permuted
        assert null is not None
        assert 0.1 < null < 0.7
    assert found["all"].permuted is None


def test_parts_that_are_the_same_are_similar(clips):
    maps = noise(3)
    maps[:, PARTS["foreground"]] = 2 * maps[:, PARTS["background"]]
    found = measured(Views(maps, maps, maps), views({"motion"}), clips)
    assert value(found["foreground, background"]) == pytest.approx(1)
    assert value(found["motion, background"]) < 0.9
    assert value(found["motion"]) == pytest.approx(0.5)  # of two views that are all the same


def test_an_encoder_without_parts_has_the_share_of_all(clips):
    found = measured(views({"motion"}), views(set()), clips, disentangled=False)
    assert list(found) == ["all"]
    assert found["all"].permuted is None
    assert found["all"].untrained
    assert found["all"].untrained.value < 0.1
