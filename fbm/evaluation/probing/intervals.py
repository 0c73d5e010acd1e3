"""Intervals by resampling whole groups: clips of one group are near copies, so they are no independent answers."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import bootstrap

LEVEL = 0.95


class Interval(NamedTuple):
    """A value and the ends of its 95 % interval."""

    value: float
    low: float
    high: float


class Resampling(NamedTuple):
    """How often groups are drawn anew, and from which seed."""

    resamples: int
    seed: int

    def __str__(self) -> str:
        return f"95 % percentile bootstrap over test groups, {self.resamples} resamples"


def group_sums(right: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """How many of each group's clips are right: `N` bool to `G`."""
    return np.bincount(groups, weights=right)


def accuracy(right: np.ndarray, groups: np.ndarray, how: Resampling) -> Interval:
    """Share of clips that are right, `N` bool, with its interval over `groups`, `N` int from 0."""
    return _interval([group_sums(right, groups), np.bincount(groups)], _share, (0.0, 1.0), how)


def diagonality(right: Sequence[np.ndarray], chances: Sequence[float], groups: np.ndarray, how: Resampling) -> Interval:
    """How diagonal a 3 x 3 table of accuracies is: 0 where all parts hold the same, 1 where each holds its own alone.

    The mean of (accuracy - chance) / (1 - chance), at least 0, over the diagonal, minus its mean elsewhere. All nine
    cells are of the same clips, so a resampling draws the same groups for all.

    Args:
        right: nine arrays `N` bool, row by row; the rows are parts, the columns factors, own on the diagonal.
        chances: of the three factors.
    """

    def score(*sums: np.ndarray, axis: int) -> np.ndarray:
        shares = np.stack([_share(cell, sums[-1], axis=axis) for cell in sums[:-1]], axis=-1)
        above = _above_chance(shares.reshape(*shares.shape[:-1], 3, 3), np.array(chances))
        own = np.eye(3, dtype=bool)
        difference: np.ndarray = above[..., own].mean(-1) - above[..., ~own].mean(-1)
        return difference

    sums = [*(group_sums(cell, groups) for cell in right), np.bincount(groups)]
    return _interval(sums, score, (-1.0, 1.0), how)


def _above_chance(shares: np.ndarray, chances: np.ndarray) -> np.ndarray:
    room = np.maximum(1 - chances, np.finfo(float).eps)
    above: np.ndarray = np.maximum((shares - chances) / room, 0)
    return above


def _share(right: np.ndarray, clips: np.ndarray, axis: int) -> np.ndarray:
    share: np.ndarray = right.sum(axis) / clips.sum(axis)
    return share


def _interval(
    sums: Sequence[np.ndarray], statistic: Callable[..., np.ndarray], bounds: tuple[float, float], how: Resampling
) -> Interval:
    value = float(statistic(*sums, axis=-1))
    if len(sums[0]) < 2:  # one group says nothing of how groups differ
        return Interval(value, *bounds)
    ends = bootstrap(
        sums,
        statistic,
        n_resamples=how.resamples,
        batch=1000,
        vectorized=True,
        paired=True,
        confidence_level=LEVEL,
        method="percentile",
        rng=np.random.default_rng(how.seed),
    ).confidence_interval
    return Interval(value, float(ends.low), float(ends.high))
