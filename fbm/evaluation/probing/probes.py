"""Linear probes: how well each factor can be read off each part of the features, on test clips."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from fbm.data.clips import ClipDataset
from fbm.evaluation.probing.factors import Values, labels
from fbm.evaluation.probing.fit import Labelled, chosen_linear
from fbm.evaluation.probing.intervals import Resampling, accuracy
from fbm.runs.probes import Probe
from fbm.utils.errors import UserError

SPLITS = ("train", "val", "test")
SMOOTHING = 0.01  # of the probabilities: a share that is spread evenly, as no probe is sure of what it never saw
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


class Reading(NamedTuple):
    """What a probe says of N test clips: `correct`, bool, and the logarithm of the probability of the true value."""

    correct: np.ndarray
    log_probability: np.ndarray


Readings = dict[tuple[str, str], Reading]  # by part and factor


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


def linear_probe(features: Mapping[str, Parts], target: ProbeTarget, part: str) -> Reading:
    """What a linear probe on one part says of the test clips.

    It is fitted on the training clips; the validation clips choose the strength of its penalty.
    """
    train, val, test = (Labelled(features[split][part], target.labels[split]) for split in SPLITS)
    model = chosen_linear(train, val)
    probabilities = model.predict_proba(test.inputs)
    of_true = (probabilities * (test.labels[:, None] == model.classes_)).sum(1)
    smooth = (1 - SMOOTHING) * of_true + SMOOTHING / target.classes
    return Reading(model.classes_[probabilities.argmax(1)] == test.labels, np.log(smooth))


def read(
    features: Mapping[str, Parts],
    targets: Sequence[ProbeTarget],
    parts: Sequence[str],
    advance: Callable[[], None] = lambda: None,
) -> Readings:
    """Probe every one of `parts` for every factor.

    Args:
        features: of every clip of each split, by part.
        advance: called once for every probe.
    """
    readings: Readings = {}
    for part in parts:
        for target in targets:
            readings[part, target.factor] = linear_probe(features, target, part)
            advance()
    return readings


def accuracies(
    readings: Readings, targets: Sequence[ProbeTarget], test_groups: np.ndarray, resampling: Resampling
) -> list[Probe]:
    """Each probe's accuracy with its interval over the groups of the test clips, `N` int from 0."""
    by_factor = {target.factor: target for target in targets}
    probes = []
    for (part, factor), reading in readings.items():
        target, interval = by_factor[factor], accuracy(reading.correct, test_groups, resampling)
        probes.append(
            Probe(
                part,
                factor,
                accuracy=interval.value,
                low=interval.low,
                high=interval.high,
                chance=target.chance,
                classes=target.classes,
                train_clips=len(target.labels["train"]),
                test_clips=len(target.labels["test"]),
            )
        )
    return probes
