"""Confusion matrices as tables."""

from collections.abc import Sequence
from typing import Any, NamedTuple


class Table(NamedTuple):
    """Column titles, and rows of as many values."""

    columns: list[str]
    rows: list[list[Any]]


def confusion_table(counts: Sequence[Sequence[int]], classes: Sequence[str]) -> Table:
    """A row per true class, a column per predicted one.

    Args:
        counts: C x C, rows true, columns predicted, in the order of `classes`.
    """
    return Table(["true class", *classes], [[name, *row] for name, row in zip(classes, counts, strict=True)])


def per_class_table(counts: Sequence[Sequence[int]], classes: Sequence[str]) -> Table:
    """How many there are of each class, how many are right, and their share in [0, 1] (None where there are none).

    Args:
        counts: as for `confusion_table`.
    """
    rows: list[list[Any]] = []
    for label, (name, row) in enumerate(zip(classes, counts, strict=True)):
        total = sum(row)
        rows.append([name, total, row[label], row[label] / total if total else None])
    return Table(["class", "number", "right", "accuracy"], rows)
