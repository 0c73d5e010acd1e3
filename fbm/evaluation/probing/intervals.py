"""Intervals by resampling whole groups: clips of one group are near copies, so they are not independent."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import bootstrap

from fbm.runs.probes import Interval

LEVEL = 0.95


class Resampling(NamedTuple):
    """How often groups are resampled, and the seed."""

    resamples: int
    seed: int

    def __str__(self) -> str:
        return f"95 % percentile bootstrap over test groups, {self.resamples} resamples"


def group_sums(correct: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """How many clips of each group are correct: `N` bool to `G`."""
    return np.bincount(groups, weights=correct)


def accuracy(correct: np.ndarray, groups: np.ndarray, resampling: Resampling) -> Interval:
    """Share of clips that are correct, `N` bool, with its interval over `groups`, `N` int."""
    groups = np.unique(groups, return_inverse=True)[1]
    return _interval([group_sums(correct, groups), np.bincount(groups)], _share, (0.0, 1.0), resampling)


def accuracy_difference(correct: np.ndarray, other: np.ndarray, groups: np.ndarray, resampling: Resampling) -> Interval:
    """How much larger the share of correct clips is than another on the same clips, with its interval, in -1..1."""
    groups = np.unique(groups, return_inverse=True)[1]
    sums = [group_sums(correct, groups) - group_sums(other, groups), np.bincount(groups)]
    return _interval(sums, _share, (-1.0, 1.0), resampling)


def disentanglement_score(
    correct: Sequence[np.ndarray], chances: Sequence[float], groups: np.ndarray, resampling: Resampling
) -> Interval:
    """How diagonal a 3 x 3 table of accuracies is: 0 where all parts hold the same, 1 where each holds its own alone.

    The mean of (accuracy - chance) / (1 - chance), at least 0, over the diagonal, minus its mean elsewhere. All nine
    cells are of the same clips, so a resampling draws the same groups for all.

    Args:
        correct: nine arrays `N` bool, row by row; the rows are parts, the columns factors, own on the diagonal.
        chances: of the three factors.
    """

    def score(*sums: np.ndarray, axis: int) -> np.ndarray:
        shares = np.stack([_share(cell, sums[-1], axis=axis) for cell in sums[:-1]], axis=-1)
        above = _above_chance(shares.reshape(*shares.shape[:-1], 3, 3), np.array(chances))
        own = np.eye(3, dtype=bool)
        difference: np.ndarray = above[..., own].mean(-1) - above[..., ~own].mean(-1)
        return difference

    sums = [*(group_sums(cell, groups) for cell in correct), np.bincount(groups)]
    return _interval(sums, score, (-1.0, 1.0), resampling)


def _above_chance(shares: np.ndarray, chances: np.ndarray) -> np.ndarray:
    room = np.maximum(1 - chances, np.finfo(float).eps)
    above: np.ndarray = np.maximum((shares - chances) / room, 0)
    return above


def _share(correct: np.ndarray, clips: np.ndarray, axis: int) -> np.ndarray:
    share: np.ndarray = correct.sum(axis) / clips.sum(axis)
    return share


def _interval(
    sums: Sequence[np.ndarray],
    statistic: Callable[..., np.ndarray],
    bounds: tuple[float, float],
    resampling: Resampling,
) -> Interval:
    value = float(statistic(*sums, axis=-1))
    if len(sums[0]) < 2:  # the spread over groups is unknown
        return Interval(value, *bounds)
    ends = bootstrap(
        sums,
        statistic,
        n_resamples=resampling.resamples,
        batch=1000,
        vectorized=True,
        paired=True,
        confidence_level=LEVEL,
        method="percentile",
        rng=np.random.default_rng(resampling.seed),
    ).confidence_interval
    return Interval(value, float(ends.low), float(ends.high))
