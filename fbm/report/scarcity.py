"""Label scarcity: clip accuracy against the share of labelled training groups, a curve for each initialisation."""

from collections.abc import Sequence
from dataclasses import dataclass

from fbm.report.labels import FRACTION, differing_keys
from fbm.report.read.runs import Run
from fbm.report.stats import Estimate
from fbm.report.table1 import Row, Table1


@dataclass(frozen=True)
class Point:
    """What the tested runs of one row say at one share of the labels, in 0..1."""

    fraction: float
    clip: Estimate
    video: Estimate | None
    runs: tuple[Run, ...]


@dataclass(frozen=True)
class Curve:
    """Rows that differ in the share of labels alone, by that share, ascending."""

    init: str
    label: str
    points: tuple[Point, ...]


def scarcity(table: Table1) -> tuple[Curve, ...]:
    """A curve for each initialisation, in the table's order; empty unless one of them has two shares or more.

    Once there is such a curve, an initialisation with a single tested share stays, as a curve of one point.
    """
    families: list[list[Row]] = []
    for row in table.rows:
        if row.clip and row.fraction is not None:
            _put(row, families)
    curves = tuple(_curve(rows) for rows in families)
    return curves if any(len(curve.points) > 1 for curve in curves) else ()


def _put(row: Row, families: list[list[Row]]) -> None:
    """Add a row to the family that it belongs to, or begin a new one."""
    for family in families:
        taken = [other.fraction for other in family]
        if family[0].init == row.init and row.fraction not in taken and _alike(family[0], row):
            family.append(row)
            return
    families.append([row])


def _alike(row: Row, other: Row) -> bool:
    """Whether two rows of unlike shares of labels differ in nothing else that their files say."""
    keys = differing_keys([[run.config() for run in one.runs] for one in (row, other)])
    return set(keys) <= {FRACTION} and not _pretrained_unlike(row, other)


def _pretrained_unlike(row: Row, other: Row) -> bool:
    made = [
        {run.summary.pretraining.fingerprint for run in one.runs if run.summary.pretraining} for one in (row, other)
    ]
    return bool(made[0] and made[1]) and made[0] != made[1]


def _curve(rows: Sequence[Row]) -> Curve:
    points = [
        Point(row.fraction, row.clip, row.video, row.runs) for row in rows if row.clip and row.fraction is not None
    ]
    return Curve(rows[0].init, rows[0].name, tuple(sorted(points, key=lambda point: point.fraction)))
