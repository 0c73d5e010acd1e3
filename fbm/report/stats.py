"""Statistics over seeds: mean and interval, paired tests, and their correction."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

LEVEL = 0.95
INTERVAL = f"{100 * LEVEL:.0f} % interval"
INTERVALS = (
    f"± is the {INTERVAL} over seeds (Student t); of a single run, in brackets, that over test groups (bootstrap)"
)
POWER = 0.8  # with which a difference is to be found
APART = 0.05  # the difference, five points
MOST_SEEDS = 1000
EXACT = 12  # pairs up to which all sign patterns are tried: 4096 of them
TIE = 1e-6  # accuracies are float32; a share of a million clips is a difference


@dataclass(frozen=True)
class Estimate:
    """What several runs say about one number; shares stay in 0..1.

    `half_width` is None for a single value: one run says nothing about the spread.
    """

    values: tuple[float, ...]
    mean: float
    half_width: float | None

    def overlaps(self, other: "Estimate") -> bool | None:
        """Whether the two intervals share a point; None where one of them has no interval."""
        if self.half_width is None or other.half_width is None:
            return None
        return abs(self.mean - other.mean) <= self.half_width + other.half_width


def estimate(values: Sequence[float]) -> Estimate | None:
    """Mean and two-sided 95 % Student t interval of independent values; None without values."""
    if not values:
        return None
    n = len(values)
    mean = math.fsum(values) / n
    if n == 1:
        return Estimate(tuple(values), mean, None)
    from scipy.special import stdtrit  # a tenth of the import time of scipy.stats

    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1))
    quantile = float(stdtrit(n - 1, (1 + LEVEL) / 2))
    return Estimate(tuple(values), mean, quantile * deviation / math.sqrt(n))


def paired_t(pairs: Sequence[float]) -> float | None:
    """p of the two-sided t test that the mean difference is 0; None for fewer than two pairs or without spread."""
    if len(pairs) < 2 or max(pairs) - min(pairs) < TIE:
        return None
    from scipy.stats import ttest_1samp  # of the differences: that is ttest_rel

    return float(ttest_1samp(pairs, 0).pvalue)


def seeds_needed(deviation: float, difference: float = APART, power: float = POWER) -> int | None:
    """The fewest pairs of seeds with which the paired t test finds a true mean difference with this power.

    The two-sided test at 5 %: its statistic has the noncentral t distribution, here with the noncentrality
    `difference * sqrt(n) / deviation`.

    Args:
        deviation: standard deviation of the differences over seeds.

    Returns:
        At least 2; None above 1000.
    """
    if deviation <= 0:
        return 2
    import numpy as np
    from scipy.special import nctdtr, stdtrit

    pairs = np.arange(2, MOST_SEEDS + 1)
    shift, limit = difference * np.sqrt(pairs) / deviation, stdtrit(pairs - 1, (1 + LEVEL) / 2)
    found = 1 - nctdtr(pairs - 1, shift, limit) + nctdtr(pairs - 1, shift, -limit)
    enough = pairs[found >= power]
    return int(enough[0]) if len(enough) else None


def sign_flip(pairs: Sequence[float]) -> float | None:
    """Share of all 2^n sign patterns whose mean is as far from 0 as that of the differences; None outside 2..12 pairs.

    Not `scipy.stats.permutation_test`: equal differences of float32 accuracies are not equal to its tolerance.
    """
    if not 2 <= len(pairs) <= EXACT:
        return None
    import numpy as np

    means = np.array(list(product((1, -1), repeat=len(pairs)))) @ np.array(pairs) / len(pairs)
    return float(np.mean(np.abs(means) >= abs(means[0]) - TIE))


def holm(ps: Sequence[float | None]) -> list[float | None]:
    """p values corrected for their number after Holm (1979); None stays None and does not count."""
    known = sorted((p, at) for at, p in enumerate(ps) if p is not None)
    corrected: list[float | None] = [None] * len(ps)
    least = 0.0
    for rank, (p, at) in enumerate(known):
        least = max(least, min(1.0, (len(known) - rank) * p))
        corrected[at] = least
    return corrected
