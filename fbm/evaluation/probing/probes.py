"""Linear probes: how well each part of the features tells each factor, on test clips."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fbm.data.clips import ClipDataset
from fbm.evaluation.probing.factors import FACTORS, Values, answers, groups
from fbm.evaluation.probing.fit import Labelled, chosen_linear
from fbm.evaluation.probing.intervals import Interval, Resampling, accuracy, diagonality
from fbm.utils.errors import UserError

SPLITS = ("train", "val", "test")
OWN = {"motion": "motion", "foreground": "object", "background": "scene"}  # what each part should hold

Parts = Mapping[str, np.ndarray]  # a part's name, and its features `N D`


@dataclass(frozen=True)
class Probe:
    """One part's accuracy for one factor, with its 95 % interval; shares of the test clips, 0 to 1.

    `chance` is one in so many classes, or the share of the commonest class in the test clips where that is larger.
    """

    part: str
    factor: str
    accuracy: float
    low: float
    high: float
    chance: float
    classes: int
    train_clips: int
    test_clips: int


class ProbeTarget(NamedTuple):
    """A factor with its answer in every clip of each split, and in how many ways it can be answered."""

    factor: str
    answers: dict[str, np.ndarray]
    classes: int

    @property
    def chance(self) -> float:
        """See `Probe`."""
        test = self.answers["test"]
        commonest = max(np.unique(test, return_counts=True)[1])
        return float(max(1 / self.classes, commonest / len(test)))


def questions(clips: Mapping[str, ClipDataset], factors: Mapping[str, Values]) -> list[ProbeTarget]:
    """What is asked of the features. UserError where all training clips have the same answer."""
    made = [
        ProbeTarget(name, {split: answers(clips[split], values) for split in SPLITS}, len(set(values.values())))
        for name, values in factors.items()
    ]
    for question in made:
        if len(set(question.answers["train"])) < 2:
            raise UserError(f"all training clips have the same {question.factor}: there is nothing to probe")
    return made


def ask(features: Mapping[str, Parts], question: ProbeTarget, part: str) -> np.ndarray:
    """Which test clips a linear probe on one part gets right, bool.

    It is fitted on the training clips; the validation clips choose the strength of its penalty.
    """
    train, val, test = (Labelled(features[split][part], question.answers[split]) for split in SPLITS)
    right: np.ndarray = chosen_linear(train, val).predict(test.inputs) == test.answers
    return right


class ProbeResults(NamedTuple):
    """All probes of one encoder, and how diagonal the table of its parts is (None without parts or factors)."""

    probes: list[Probe]
    diagonality: Interval | None


def probe(
    features: Mapping[str, Parts], clips: Mapping[str, ClipDataset], asked: list[ProbeTarget], how: Resampling
) -> ProbeResults:
    """Probe every part for every factor.

    Args:
        features: of every clip of each split, by part.
    """
    of_groups = groups(clips["test"])
    right = {(part, q.factor): ask(features, q, part) for part in features["train"] for q in asked}
    by_name = {q.factor: q for q in asked}
    probes = []
    for (part, factor), cell in right.items():
        q = by_name[factor]
        counts = (q.classes, len(q.answers["train"]), len(q.answers["test"]))
        ends = accuracy(cell, of_groups, how)
        probes.append(Probe(part, factor, *ends, q.chance, *counts))
    cells = [(part, factor) for part in OWN for factor in FACTORS]
    if not set(cells) <= right.keys():
        return ProbeResults(probes, None)
    chances = [by_name[factor].chance for factor in FACTORS]
    return ProbeResults(probes, diagonality([right[cell] for cell in cells], chances, of_groups, how))
