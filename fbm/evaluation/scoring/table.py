"""Scores of the table of parts and factors, from the answers of the probes."""

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np

from fbm import scores
from fbm.evaluation.probing.factors import FACTORS
from fbm.evaluation.probing.intervals import Resampling, Statistic, intervals, shares
from fbm.evaluation.probing.probes import ProbeTarget, Readings
from fbm.runs.probes import OWN_FACTOR, Interval, Score

WHOLE = "informativeness"
# Of the parts, with the least and the largest value; in the order of `_of_parts`.
OF_PARTS = {
    "disentanglement (DCI)": (0.0, 1.0),
    "completeness (DCI)": (0.0, 1.0),
    "information gap (MIG)": (0.0, 1.0),
    "accuracy gap (SAP)": (0.0, 1.0),
    "modularity": (0.0, 1.0),
    "diagonality": (-1.0, 1.0),
    "leakage": (0.0, np.inf),
}
CELLS = list(product(OWN_FACTOR, FACTORS))  # row by row, own on the diagonal


def table_scores(
    trained: Readings,
    control: Readings,
    permuted: Sequence[Readings],
    targets: Sequence[ProbeTarget],
    groups: np.ndarray,
    resampling: Resampling,
) -> list[Score]:
    """The scores of one run, those of parts only where all three parts were probed for all three factors.

    Args:
        trained, control, permuted: of the run, of the untrained encoder, and of parts of permuted channels.
        groups: of the test clips, `N` int from 0.
    """
    by_factor = {target.factor: target for target in targets}
    if max(target.chance for target in targets) >= 1:
        return []  # the test clips have a single value of a factor: nothing is above chance
    whole = [("all", factor) for factor in by_factor]
    value, untrained = (
        intervals(_informativeness(one, whole, by_factor), groups, [(0.0, 1.0)], resampling)[0]
        for one in (trained, control)
    )
    made = [Score("table", WHOLE, value, untrained)]
    if not set(CELLS) <= trained.keys():
        return made
    bounds = list(OF_PARTS.values())
    values = intervals(_of_parts(trained, by_factor), groups, bounds, resampling)
    controls = _control(control, by_factor, groups, resampling)
    once = np.ones((1, len(groups)))
    deals = [_of_parts(deal, by_factor)(once)[:, 0] for deal in permuted]
    null = [mean([deal[number] for deal in deals]) for number in range(len(OF_PARTS))]
    return [*made, *(Score("table", *row) for row in zip(OF_PARTS, values, controls, null, strict=True))]


def mean(values: Sequence[float]) -> float | None:
    """Of those that are defined; None where none is."""
    defined = [float(value) for value in values if np.isfinite(value)]
    return float(np.mean(defined)) if defined else None


def _control(
    control: Readings, by_factor: Mapping[str, ProbeTarget], groups: np.ndarray, resampling: Resampling
) -> list[Interval | None]:
    if not set(CELLS) <= control.keys():
        return [None] * len(OF_PARTS)
    return intervals(_of_parts(control, by_factor), groups, list(OF_PARTS.values()), resampling)


def _above(
    readings: Readings, cells: Sequence[tuple[str, str]], by_factor: Mapping[str, ProbeTarget], weights: np.ndarray
) -> np.ndarray:
    """Accuracy above chance of each cell in each resampling: `B cells`."""
    correct = np.stack([readings[cell].correct for cell in cells])
    chances = np.array([by_factor[factor].chance for _, factor in cells])
    return scores.above_chance(shares(correct, weights).T, chances)


def _informativeness(
    readings: Readings, cells: Sequence[tuple[str, str]], by_factor: Mapping[str, ProbeTarget]
) -> Statistic:
    return lambda weights: scores.informativeness(_above(readings, cells, by_factor, weights))[None]


def _of_parts(readings: Readings, by_factor: Mapping[str, ProbeTarget]) -> Statistic:
    def statistic(weights: np.ndarray) -> np.ndarray:
        sides = len(weights), len(OWN_FACTOR), len(FACTORS)
        above = _above(readings, CELLS, by_factor, weights).reshape(sides)
        shown = [
            scores.usable_information(readings[cell].log_probability, by_factor[cell[1]].labels["test"], weights)
            for cell in CELLS
        ]
        information = np.stack(shown, axis=-1).reshape(sides)
        return np.stack(
            [
                scores.disentanglement(above),
                scores.completeness(above),
                scores.gap(information),
                scores.gap(above),
                scores.modularity(above),
                scores.diagonality(above),
                scores.leakage(above),
            ]
        )

    return statistic
