"""Reading one column of a Lightning `metrics.csv`. Epochs count from 1: 1 is the state after one epoch."""

import csv
import math

from fbm.report.read.places import shown
from fbm.report.read.runs import Run
from fbm.runs.files import METRICS
from fbm.utils.errors import UserError


def curve(run: Run, column: str) -> dict[int, float]:
    """`column` by epoch; empty if the run has no such file or column. UserError for a damaged file.

    Rows are sparse and an epoch may come twice (after a resume): its last value counts.
    """
    file = run.path / METRICS
    if not file.exists():
        return {}
    found: dict[int, float] = {}
    try:
        with file.open(newline="", encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                if row.get(column):
                    found[int(row["epoch"]) + 1] = float(row[column])
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise UserError(f"{shown(file)}: damaged metrics ({error}). Delete it or train again.") from error
    return {epoch: value for epoch, value in sorted(found.items()) if math.isfinite(value)}


def first_epoch_reaching(run: Run, column: str, level: float) -> int | None:
    """First epoch whose `column` is at least `level`; None if it never is."""
    return next((epoch for epoch, value in curve(run, column).items() if value >= level), None)
