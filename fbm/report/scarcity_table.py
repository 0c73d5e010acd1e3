"""Label scarcity as a table: a row for each initialisation, a column for each share of the labels."""

from collections.abc import Sequence

from fbm.report import numbers
from fbm.report.scarcity import Curve
from fbm.report.stats import INTERVAL
from fbm.report.table import Table

SUBSETS = (
    "The groups of a smaller share are among those of a larger one, and the same for every seed: intervals are over "
    "seeds, and leave out the choice of groups."
)


def scarcity_table(curves: Sequence[Curve], data: str) -> Table:
    """Clip accuracies by share of the labelled training groups."""
    shares = sorted({point.fraction for curve in curves for point in curve.points})
    rows = tuple((curve.label, *(_cell(curve, share) for share in shares)) for curve in curves)
    caption = (
        f"Test clip accuracy in % on {data or 'an unnamed data set'} by the share of labelled training groups: mean ± "
        f"{INTERVAL} over seeds (Student t), and the number of runs."
    )
    heads = (f"{100 * share:g}\u00a0% of labels" for share in shares)
    return Table(("Initialization", *heads), rows, "Label scarcity", caption, remarks=(SUBSETS,))


def _cell(curve: Curve, share: float) -> str:
    found = [point for point in curve.points if point.fraction == share]
    return f"{numbers.accuracy(found[0].clip)} ({len(found[0].clip.values)})" if found else numbers.DASH
