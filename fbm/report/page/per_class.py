"""Class by class: confusion matrices of test clips, summed over the seeds of a row of Table 1."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from fbm.report import numbers
from fbm.report.read.runs import Run
from fbm.report.table1 import Table1
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


def confusions(table: Table1) -> list[Confusion]:
    """A matrix for each row that has one, in the order of Table 1. UserError for one that does not fit its classes."""
    found = []
    for row in table.rows:
        runs = [run for run in row.runs if run.summary.confusion is not None]
        if not runs:
            continue
        each, classes = [_counts(run) for run in runs], tuple(runs[0].summary.classes)
        summed = tuple(tuple(map(sum, zip(*rows, strict=True))) for rows in zip(*each, strict=True))
        accuracies = tuple(
            tuple(counts[at][at] / sum(counts[at]) for counts in each if sum(counts[at])) for at in range(len(classes))
        )
        found.append(Confusion(row.label, classes, summed, accuracies, tuple(run.summary.seed for run in runs)))
    return found


def _counts(run: Run) -> list[list[int]]:
    counts, classes = run.summary.confusion or [], len(run.summary.classes)
    if len(counts) != classes or any(len(row) != classes or min(row) < 0 for row in counts):
        raise UserError(
            f"{run.where}/summary.json: confusion is not a {classes} x {classes} matrix of counts, one for each class. "
            "Train again."
        )
    return counts


def spreads(found: Sequence[Confusion]) -> list[tuple[str, list[tuple[str, str]]]]:
    """The table classes x rows: each class's name, and its accuracy in each row, in per cent: mean and range."""
    classes = found[0].classes if found else ()
    return [(name, [_spread(row.accuracies[at]) for row in found]) for at, name in enumerate(classes)]


def _spread(accuracies: Sequence[float]) -> tuple[str, str]:
    if not accuracies:
        return numbers.DASH, ""
    among = f"({numbers.between(min(accuracies), max(accuracies))})" if len(accuracies) > 1 else ""
    return numbers.percent(sum(accuracies) / len(accuracies)), among


def matrix(found: Confusion) -> list[list[Cell]]:
    """The matrix as a reader sees it: per cent of the true class, empty for none."""
    drawn = []
    for true, row in zip(found.classes, found.counts, strict=True):
        cells, clips = [], sum(row)
        for predicted, count in zip(found.classes, row, strict=True):
            share = count / clips if clips else 0.0
            what = f"{true} recognised" if true == predicted else f"{true} taken for {predicted}"
            of = f"{numbers.count(count)} of {numbers.count(clips)} clips, {numbers.percent(share)} %"
            cells.append(Cell(round(share, 3), f"{100 * share:.0f}" if count else "", f"{what}: {of}", share > DEEP))
        drawn.append(cells)
    return drawn
