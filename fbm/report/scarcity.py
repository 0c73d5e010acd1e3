"""Label scarcity: clip accuracy against the share of labelled training groups, a curve for each initialisation."""

from collections.abc import Sequence
from dataclasses import dataclass

from fbm.report import numbers
from fbm.report.labels import FRACTION, differing_keys
from fbm.report.stats import INTERVAL
from fbm.report.table import Table
from fbm.report.table1 import Row, Table1

SUBSETS = (
    "The groups of a smaller share are among those of a larger one, and the same for every seed: intervals are over "
    "seeds, and leave out the choice of groups."
)


@dataclass(frozen=True)
class Curve:
    """Tested rows that differ in the share of labels alone, by that share (`rows` in 0..1), ascending."""

    init: str
    label: str
    rows: dict[float, Row]


def scarcity(table: Table1) -> tuple[Curve, ...]:
    """A curve for each initialisation, in the table's order; empty unless one of them has two shares or more.

    Once there is such a curve, an initialisation with a single tested share stays, as a curve of one point.
    """
    families: list[dict[float, Row]] = []
    for row in table.rows:
        if row.clip and row.fraction is not None:
            family = next((family for family in families if row.fraction not in family and _alike(row, family)), None)
            if family is None:
                families.append(family := {})
            family[row.fraction] = row
    if all(len(family) < 2 for family in families):
        return ()
    return tuple(_curve(family) for family in families)


def _alike(row: Row, family: dict[float, Row]) -> bool:
    """Whether a row differs from those of other shares of labels in nothing else that their files say."""
    other = next(iter(family.values()))
    if row.init != other.init:
        return False
    pretrained = [
        {run.summary.pretraining.fingerprint for run in one.runs if run.summary.pretraining} for one in (row, other)
    ]
    if all(pretrained) and pretrained[0] != pretrained[1]:
        return False
    return set(differing_keys([[run.settings for run in one.runs] for one in (row, other)])) <= {FRACTION}


def _curve(family: dict[float, Row]) -> Curve:
    first = next(iter(family.values()))
    return Curve(first.init, first.name, dict(sorted(family.items())))


def scarcity_table(curves: Sequence[Curve], data: str) -> Table:
    """Clip accuracies by share of the labelled training groups: a row for each curve, a column for each share."""
    shares = sorted({share for curve in curves for share in curve.rows})
    rows = tuple((curve.label, *(_cell(curve.rows.get(share)) for share in shares)) for curve in curves)
    caption = (
        f"Test clip accuracy in % on {data or 'an unnamed data set'} by the share of labelled training groups: mean ± "
        f"{INTERVAL} over seeds (Student t), and the number of runs."
    )
    heads = (f"{100 * share:g}\u00a0% of labels" for share in shares)
    return Table(("Initialization", *heads), rows, "Label scarcity", caption, remarks=(SUBSETS,))


def _cell(row: Row | None) -> str:
    return f"{numbers.accuracy(row.clip)} ({len(row.clip.values)})" if row and row.clip else numbers.DASH
