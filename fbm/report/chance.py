"""What an accuracy is to be held against that nothing was learnt for."""

from collections.abc import Sequence

from fbm.report import numbers
from fbm.report.table1 import Row, Table1

SEEN = 0.0005  # the smallest difference of two shares that the tables show


def guessed(classes: int) -> float | None:
    """The share that is right by guessing, in 0..1; None where the classes are not known."""
    return 1 / classes if classes else None


def most_frequent(rows: Sequence[Row]) -> float | None:
    """The share of tested clips that are of the most frequent class, in 0..1: what always naming it gives.

    None where no confusion says it, or where it is not above guessing: the tests have as many clips of each class.
    """
    shares = [
        max(map(sum, counts)) / clips
        for row in rows
        for run in row.runs
        if (counts := run.summary.confusion) and (clips := sum(map(sum, counts)))
    ]
    level = guessed(len(rows[0].runs[0].summary.classes)) if rows else None
    return max(shares) if shares and max(shares) > (level or 0) + SEEN else None


def levels(table: Table1) -> list[tuple[str, float]]:
    """What to write under Table 1: the name of each level and its share in 0..1."""
    level = guessed(table.classes)
    found = [] if level is None else [(f"Chance, 1 of {numbers.count(table.classes)} classes", level)]
    often = most_frequent([row for row in table.rows if not row.partial] or table.rows)
    return found if often is None else [*found, ("Always the most frequent class", often)]


def above(row: Row, level: float) -> bool | None:
    """Whether a row's interval lies above a level; None for a single run above it, which has no interval."""
    assert row.clip
    if row.clip.half_width is None:
        return None if row.clip.mean > level else False
    return row.clip.mean - row.clip.half_width > level
