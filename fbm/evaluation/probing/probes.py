"""Linear probes: how well each factor can be read off each part of the features, on test clips."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from fbm.data.clips import ClipDataset
from fbm.evaluation.probing.factors import FACTORS, Values, groups, labels
from fbm.evaluation.probing.fit import Labelled, chosen_linear
from fbm.evaluation.probing.intervals import Resampling, accuracy, disentanglement_score
from fbm.runs.probes import OWN_FACTOR, Interval, Probe
from fbm.utils.errors import UserError

SPLITS = ("train", "val", "test")
Parts = Mapping[str, np.ndarray]  # a part's name, and its features `N D`


class ProbeTarget(NamedTuple):
    """A factor, its value in every clip of each split, and its number of values."""

    factor: str
    labels: dict[str, np.ndarray]
    classes: int

    @property
    def chance(self) -> float:
        """See `Probe`."""
        test = self.labels["test"]
        commonest = max(np.unique(test, return_counts=True)[1])
        return float(max(1 / self.classes, commonest / len(test)))


class ProbeResults(NamedTuple):
    """All probes of one encoder, and how diagonal the table of its parts is (None without parts or factors)."""

    probes: list[Probe]
    diagonality: Interval | None


def probe_targets(clips: Mapping[str, ClipDataset], factors: Mapping[str, Values]) -> list[ProbeTarget]:
    """The targets of the probes. UserError if all training clips have the same value of a factor."""
    targets = [
        ProbeTarget(name, {split: labels(clips[split], values) for split in SPLITS}, len(set(values.values())))
        for name, values in factors.items()
    ]
    for target in targets:
        if len(set(target.labels["train"])) < 2:
            raise UserError(f"all training clips have the same {target.factor}: there is nothing to probe")
    return targets


def linear_probe(features: Mapping[str, Parts], target: ProbeTarget, part: str) -> np.ndarray:
    """Which test clips a linear probe on one part classifies correctly, bool `N`.

    It is fitted on the training clips; the validation clips choose the strength of its penalty.
    """
    train, val, test = (Labelled(features[split][part], target.labels[split]) for split in SPLITS)
    correct: np.ndarray = chosen_linear(train, val).predict(test.inputs) == test.labels
    return correct


def probe(
    features: Mapping[str, Parts], clips: Mapping[str, ClipDataset], targets: list[ProbeTarget], resampling: Resampling
) -> ProbeResults:
    """Probe every part for every factor.

    Args:
        features: of every clip of each split, by part.
    """
    test_groups = groups(clips["test"])
    correct: dict[tuple[str, str], np.ndarray] = {}
    probes = []
    for part in features["train"]:
        for target in targets:
            cell = correct[part, target.factor] = linear_probe(features, target, part)
            interval = accuracy(cell, test_groups, resampling)
            probes.append(
                Probe(
                    part,
                    target.factor,
                    accuracy=interval.value,
                    low=interval.low,
                    high=interval.high,
                    chance=target.chance,
                    classes=target.classes,
                    train_clips=len(target.labels["train"]),
                    test_clips=len(target.labels["test"]),
                )
            )
    cells = [(part, factor) for part in OWN_FACTOR for factor in FACTORS]
    if not set(cells) <= correct.keys():
        return ProbeResults(probes, None)
    chance = {target.factor: target.chance for target in targets}
    chances = [chance[factor] for factor in FACTORS]
    score = disentanglement_score([correct[cell] for cell in cells], chances, test_groups, resampling)
    return ProbeResults(probes, score)
