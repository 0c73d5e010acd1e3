"""Intervals by resampling whole groups: clips of one group are near copies, so they are not independent."""

import math
import warnings
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import DegenerateDataWarning, bootstrap

from fbm.runs.probes import Interval

LEVEL = 0.95
MOST_WEIGHTS = 500_000  # at once: a statistic may need a number for each of them and of many dimensions
# From weights `B N`, how often each clip counts in each of B resamplings, to K statistics: `K B`.
Statistic = Callable[[np.ndarray], np.ndarray]


class Resampling(NamedTuple):
    """How often groups are resampled, and the seed."""

    resamples: int
    seed: int

    def __str__(self) -> str:
        return f"95 % percentile bootstrap over test groups, {self.resamples} resamples"


def accuracy(correct: np.ndarray, groups: np.ndarray, resampling: Resampling) -> Interval:
    """Share of clips that are correct, `N` bool, with its interval over `groups`, `N` int."""
    [found] = intervals(lambda weights: shares(correct[None], weights), groups, [(0.0, 1.0)], resampling)
    assert found is not None
    return found


def accuracy_difference(correct: np.ndarray, other: np.ndarray, groups: np.ndarray, resampling: Resampling) -> Interval:
    """How much larger the share of correct clips is than another on the same clips, with its interval, in -1..1."""

    def difference(weights: np.ndarray) -> np.ndarray:
        found: np.ndarray = -np.diff(shares(np.stack([correct, other]), weights), axis=0)
        return found

    [found] = intervals(difference, groups, [(-1.0, 1.0)], resampling)
    assert found is not None
    return found


def shares(correct: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The weighted share of clips that are correct: K answers of N clips, `K N`, and weights `B N`, to `K B`."""
    found: np.ndarray = correct.astype(float) @ weights.T / weights.sum(-1)
    return found


def intervals(
    statistic: Statistic, groups: np.ndarray, bounds: Sequence[tuple[float, float]], resampling: Resampling
) -> list[Interval | None]:
    """K statistics of the same clips with their intervals over groups; None for one that is not defined (NaN).

    A resampling draws the same groups for all. Those in which a statistic is not defined are left out of its interval.

    Args:
        groups: of each clip, `N` int.
        bounds: least and largest value of each statistic; they are its interval where there is one group, whose
            spread over others is unknown.
    """
    values = statistic(np.ones((1, len(groups))))[:, 0]
    groups = np.unique(groups, return_inverse=True)[1]
    count = int(groups.max()) + 1
    if count < 2:
        return [_interval(value, *ends) for value, ends in zip(values, bounds, strict=True)]

    def resampled(drawn: np.ndarray, axis: int) -> np.ndarray:  # `B G` numbers of groups
        times = np.zeros(drawn.shape)
        np.add.at(times, (np.arange(len(drawn))[:, None], drawn), 1)
        return statistic(times[:, groups])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)  # of a statistic that is not defined in all resamplings
        made = bootstrap(
            (np.arange(count),),
            resampled,
            n_resamples=resampling.resamples,
            batch=max(1, MOST_WEIGHTS // len(groups)),
            vectorized=True,
            confidence_level=LEVEL,
            method="percentile",
            rng=np.random.default_rng(resampling.seed),
        ).bootstrap_distribution
    tail = (1 - LEVEL) / 2
    found = []
    for value, drawn in zip(values, np.asarray(made), strict=True):
        defined = drawn[np.isfinite(drawn)]
        found.append(_interval(value, *np.quantile(defined, (tail, 1 - tail))) if len(defined) else None)
    return found


def _interval(value: float, low: float, high: float) -> Interval | None:
    ends = float(value), float(low), float(high)
    return Interval(*ends) if all(map(math.isfinite, ends)) else None
