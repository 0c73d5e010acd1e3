"""Mean and interval over seeds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

LEVEL = 0.95
INTERVAL = f"{100 * LEVEL:.0f} % interval"


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
