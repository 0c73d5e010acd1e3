"""Every number a reader sees is formatted here, so that tables, page and terminal agree."""

from collections.abc import Sequence

from fbm.report.stats import Estimate
from fbm.utils import durations

DASH = "–"


def percent(share: float | None) -> str:
    """A share in 0..1 as per cent with one decimal, without the sign: 0.5221 gives `52.2`."""
    return DASH if share is None else f"{100 * share:.1f}"


def accuracy(estimate: Estimate | None, ends: tuple[float, float] | None = None) -> str:
    """Mean and half width of the 95 % interval, in per cent: `52.2 ± 3.1`; `52.2 ± –` for a single run.

    Args:
        ends: of a single run's interval over test groups, shares in 0..1: `52.2 (45.0 to 60.1)`.
    """
    if estimate is None:
        return DASH
    if estimate.half_width is None and ends is not None:
        return f"{percent(estimate.mean)} ({between(*ends)})"
    return f"{percent(estimate.mean)} ± {percent(estimate.half_width)}"


def gain(estimate: Estimate | None) -> str:
    """A signed difference in percentage points with its interval: `+10.3 ± 1.2`."""
    if estimate is None:
        return DASH
    return f"{100 * estimate.mean:+.1f} ± {percent(estimate.half_width)}"


def points(difference: float) -> str:
    """The size of a difference of two shares, in percentage points: `10.3 points`."""
    return f"{abs(100 * difference):.1f} points"


def decimal(value: float | None) -> str:
    """A plain number with one decimal: epochs, clips per second."""
    return DASH if value is None else f"{value:.1f}"


def count(value: int | None) -> str:
    """A whole number, thousands separated by a thin gap that does not break."""
    return DASH if value is None else f"{value:,}".replace(",", "\u202f")


def duration(seconds: float | None) -> str:
    """Seconds in words, see `fbm.utils.durations`."""
    return DASH if seconds is None else durations.duration(seconds)


def names(values: Sequence[object]) -> str:
    """A short list: `0, 1, 2`, or a dash when empty."""
    return ", ".join(str(value) for value in values) or DASH


def plain(value: float) -> str:
    """A measured number on a chart: one decimal from 10 on, else three digits: `45.4`, `1.62`, `0.0312`."""
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"


def between(low: float, high: float) -> str:
    """Two shares in 0..1 as a range in per cent: `55.0 to 69.3`."""
    return f"{percent(low)} to {percent(high)}"


def p_value(p: float | None) -> str:
    """A p value with three digits: `0.25`, `0.0312`, `<0.001`; a dash where there is no test."""
    if p is None:
        return DASH
    return "<0.001" if p < 0.001 else f"{p:.3g}"
