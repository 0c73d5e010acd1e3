import json
from pathlib import Path

import numpy as np
import pytest

from fbm.data.clips import ClipDataset
from fbm.data.store.frame_store import FrameStore
from fbm.evaluation.probing.factors import Values, groups, labels
from fbm.evaluation.probing.fit import Labelled, chosen_linear
from fbm.evaluation.probing.intervals import Resampling
from fbm.evaluation.probing.probes import SMOOTHING, SPLITS, ProbeTarget, accuracies, linear_probe, probe_targets, read
from fbm.utils.errors import UserError
from tests.tiny import make_store

HOW = Resampling(200, seed=0)


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> dict[str, ClipDataset]:
    store = FrameStore(make_store(tmp_path_factory.mktemp("probes")))
    return {split: ClipDataset(store, split, 32, 16, seed=0, random_windows=False) for split in SPLITS}


@pytest.fixture(scope="module")
def factors(clips) -> dict[str, Values]:
    """Each of three kinds in every split; motion is the class."""
    videos = clips["train"].store.usable
    kinds = {video.name: number for number, video in enumerate(videos)}
    return {
        "motion": {video.name: video.action for video in videos},
        "object": {name: f"o{number % 3}" for name, number in kinds.items()},
        "scene": {name: f"s{number // 2 % 2}" for name, number in kinds.items()},
    }


def onehot(clips: ClipDataset, values: Values) -> np.ndarray:
    kinds = sorted(set(values.values()))
    return np.stack([labels(clips, values) == kind for kind in kinds], axis=1).astype(np.float32)


def noise(clips: ClipDataset) -> np.ndarray:
    return np.random.default_rng(len(clips)).normal(size=(len(clips), 3)).astype(np.float32)


def parts(clips, factors, held: dict[str, str]) -> dict[str, dict[str, np.ndarray]]:
    """Features whose parts hold one factor each, and nothing else."""
    return {split: {part: onehot(some, factors[held[part]]) for part in held} for split, some in clips.items()}


@pytest.fixture(scope="module")
def own(clips, factors):
    """Readings of parts that hold their own factor alone."""
    held = {"motion": "motion", "foreground": "object", "background": "scene"}
    return read(parts(clips, factors, held), probe_targets(clips, factors), list(held))


def test_parts_that_hold_their_own_factor_alone(clips, factors, own):
    found = accuracies(own, probe_targets(clips, factors), groups(clips["test"]), HOW)
    cells = {(one.part, one.factor): one for one in found}
    assert len(cells) == 9
    diagonal = [("motion", "motion"), ("foreground", "object"), ("background", "scene")]
    assert [(cells[cell].accuracy, cells[cell].low, cells[cell].high) for cell in diagonal] == [(1.0, 1.0, 1.0)] * 3
    assert max(one.accuracy for cell, one in cells.items() if cell not in diagonal) < 0.7
    some = cells["motion", "object"]
    assert (some.classes, some.train_clips, some.test_clips) == (3, 18, 12)
    assert 0 <= some.low <= some.accuracy <= some.high <= 1


def test_the_probability_of_what_is_true(own):
    """Sure of its own factor, unsure of others; never impossible."""
    sure, unsure = own["foreground", "object"].log_probability, own["motion", "object"].log_probability
    assert sure.shape == (12,)
    assert np.exp(sure).min() > 0.5
    assert np.exp(unsure).mean() < 0.5
    assert np.exp(unsure).min() >= SMOOTHING / 3


def test_a_value_that_was_not_in_training_is_wrong_and_all_but_impossible(clips, factors):
    target = probe_targets(clips, {"object": factors["object"]})[0]
    other = target._replace(labels={**target.labels, "test": np.full(12, "new")}, classes=4)
    found = linear_probe({split: {"all": noise(some)} for split, some in clips.items()}, other, "all")
    assert not found.correct.any()
    np.testing.assert_allclose(found.log_probability, np.log(SMOOTHING / 4))


def test_the_test_clips_neither_fit_nor_choose(clips, factors, monkeypatch):
    used: list[Labelled] = []

    def chosen(*given: Labelled):
        used.extend(given)
        return chosen_linear(*given)

    monkeypatch.setattr("fbm.evaluation.probing.probes.chosen_linear", chosen)
    features = {split: {"all": noise(some)} for split, some in clips.items()}
    asked = probe_targets(clips, {"object": factors["object"]})
    [found] = accuracies(read(features, asked, ["all"]), asked, groups(clips["test"]), HOW)
    for given, split in zip(used, ("train", "val"), strict=True):
        assert given.inputs is features[split]["all"]
        assert given.labels.tolist() == labels(clips[split], factors["object"]).tolist()
    right = chosen_linear(*used).predict(features["test"]["all"]) == labels(clips["test"], factors["object"])
    assert found.accuracy == pytest.approx(right.mean())


@pytest.mark.parametrize(
    ("test", "classes", "chance"),
    [(["a", "b", "c", "a"], 3, 0.5), (["a", "b", "c"], 3, 1 / 3), (["a", "b"], 8, 0.5), (["a", "b"] * 3, 2, 0.5)],
)
def test_chance_is_the_commonest_or_one_in_so_many(test, classes, chance):
    assert ProbeTarget("scene", {"test": np.array(test)}, classes).chance == pytest.approx(chance)


def test_a_factor_that_never_changes_cannot_be_probed(clips, factors):
    same = dict.fromkeys(factors["scene"], "beach")
    with pytest.raises(UserError, match="the same scene"):
        probe_targets(clips, {"scene": same})


def test_a_probe_is_plain_in_json(clips, factors, tmp_path: Path):
    features = {split: {"all": noise(some)} for split, some in clips.items()}
    asked = probe_targets(clips, {"motion": factors["motion"]})
    [one] = accuracies(read(features, asked, ["all"]), asked, groups(clips["test"]), HOW)
    assert json.loads(json.dumps(vars(one)))["factor"] == "motion"
