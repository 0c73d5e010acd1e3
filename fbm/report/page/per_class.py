"""Class by class: confusion matrices of test clips, summed over the seeds of a row of Table 1."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from fbm.report import numbers
from fbm.report.read.runs import Run
from fbm.report.table1 import Row, Table1
from fbm.utils.errors import UserError

# A matrix of more classes is neither read by eye nor light enough for the page.
MOST_CLASSES = 30
# From here on the cell is dark enough (in dark mode: bright enough) to turn its number over.
DEEP = 0.72


@dataclass(frozen=True)
class Confusion:
    """Test clips of one row of Table 1.

    Attributes:
        counts: C x C, rows true class, columns predicted, in the order of `classes`; summed over the runs.
        accuracies: for each class its accuracy (share in 0..1) in each run; empty where no clip is of that class.
    """

    label: str
    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    accuracies: tuple[tuple[float, ...], ...]
    seeds: tuple[int, ...]


class Cell(NamedTuple):
    """One cell of a drawn matrix: share of its true class in 0..1, the number in it, and its tooltip."""

    share: float
    text: str
    tooltip: str
    deep: bool


class Spread(NamedTuple):
    """A class's accuracy in one row, in per cent: mean over the seeds, lowest and highest; a dash for no clip."""

    mean: str
    range: str


def confusions(table: Table1) -> list[Confusion]:
    """A matrix for each row that has one, in the order of Table 1. UserError for one that does not fit its classes."""
    return [made for made in map(_confusion, table.rows) if made]


def spreads(found: Sequence[Confusion]) -> list[tuple[str, list[Spread]]]:
    """The table classes x rows: for each class its name and its accuracy in each row."""
    classes = found[0].classes if found else ()
    return [(name, [_spread(row.accuracies[at]) for row in found]) for at, name in enumerate(classes)]


def matrix(found: Confusion) -> list[list[Cell]]:
    """The matrix as a reader sees it: per cent of the true class, empty for none."""
    return [[_cell(found, true, predicted) for predicted in range(len(row))] for true, row in enumerate(found.counts)]


def _confusion(row: Row) -> Confusion | None:
    runs = [run for run in row.runs if run.summary.confusion is not None]
    if not runs:
        return None
    each = [_counts(run) for run in runs]
    classes = runs[0].summary.classes
    summed = tuple(tuple(map(sum, zip(*rows, strict=True))) for rows in zip(*each, strict=True))
    accuracies = tuple(tuple(_accuracies(at, each)) for at in range(len(classes)))
    return Confusion(row.label, tuple(classes), summed, accuracies, tuple(run.summary.seed for run in runs))


def _counts(run: Run) -> list[list[int]]:
    counts, classes = run.summary.confusion or [], len(run.summary.classes)
    if len(counts) != classes or any(len(row) != classes or min(row) < 0 for row in counts):
        raise UserError(
            f"{run.where}/summary.json: confusion is not a {classes} x {classes} matrix of counts, one for each class. "
            "Train again."
        )
    return counts


def _accuracies(at: int, each: Sequence[Sequence[Sequence[int]]]) -> list[float]:
    return [counts[at][at] / sum(counts[at]) for counts in each if sum(counts[at])]


def _spread(accuracies: Sequence[float]) -> Spread:
    if not accuracies:
        return Spread(numbers.DASH, "")
    several = len(accuracies) > 1
    among = f"({numbers.between(min(accuracies), max(accuracies))})" if several else ""
    return Spread(numbers.percent(sum(accuracies) / len(accuracies)), among)


def _cell(found: Confusion, true: int, predicted: int) -> Cell:
    count, clips = found.counts[true][predicted], sum(found.counts[true])
    share = count / clips if clips else 0.0
    name = found.classes[true]
    what = f"{name} recognised" if true == predicted else f"{name} taken for {found.classes[predicted]}"
    of = f"{numbers.count(count)} of {numbers.count(clips)} clips"
    shown = f"{100 * share:.0f}" if count else ""
    return Cell(round(share, 3), shown, f"{what}: {of}, {numbers.percent(share)} %", share > DEEP)
