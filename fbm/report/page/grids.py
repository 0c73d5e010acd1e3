"""The page's plain tables: cells as text, and which columns hold numbers."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from fbm.report import numbers
from fbm.report.figures import VAL
from fbm.report.origins import origin
from fbm.report.read.runs import Found, Run
from fbm.report.sheet import filled
from fbm.report.table1 import CLIP, VIDEO, Table1

RUN_HEAD = (
    "Run", "Task", "Init", "Seed", "Labels, %", "Test clip, %", "Test video, %", "Val clip, %",
    "Epochs", "Clips/s", "Time", "Started from",
)  # fmt: skip
NUMBER = re.compile(r"[-+<±–\d.,\s]*(\(\d+( of \d+)?\))?|\d+ (s|min \d+ s|h \d+ min)")
LONG = 24  # characters from which on a column's text may break into lines


class Grid(NamedTuple):
    """A table: its head, its rows, and for each column `num` (numbers, which stand on the right), `long` or nothing."""

    head: tuple[str, ...]
    rows: list[tuple[str, ...]]
    kinds: list[str]


def grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Grid:
    """A table of these cells; the first column names the row and is never of numbers."""
    columns = list(zip(*rows, strict=True)) or [()] * len(head)
    return Grid(tuple(head), [tuple(row) for row in rows], [_kind(at, column) for at, column in enumerate(columns)])


def _kind(at: int, column: Sequence[str]) -> str:
    if at and all(NUMBER.fullmatch(cell) for cell in column):
        return "num"
    return "long" if max(map(len, column), default=0) > LONG else ""


def runs_grid(found: Found) -> Grid:
    """A line for each finished run; columns that tell nothing of any run are left out."""
    lines = [_run(run) for run in found.runs]
    if all(run.accuracy(VIDEO) == run.accuracy(CLIP) for run in found.runs):
        at = RUN_HEAD.index("Test video, %")
        lines = [(*line[:at], numbers.DASH, *line[at + 1 :]) for line in lines]
    return grid(*filled(RUN_HEAD, lines))


def _run(run: Run) -> tuple[str, ...]:
    summary = run.summary
    return (
        summary.run,
        summary.task,
        summary.init or numbers.DASH,
        str(summary.seed),
        numbers.DASH if run.label_fraction is None else f"{100 * run.label_fraction:g}",
        numbers.percent(run.accuracy(CLIP))
        + (f" ({run.tested_clips} of {run.summary.samples['test']})" if run.partial else ""),
        numbers.percent(run.accuracy(VIDEO)),
        numbers.percent(run.accuracy(VAL)),
        numbers.count(summary.epochs),
        numbers.decimal(summary.throughput.get("clips_per_second")),
        numbers.duration(summary.seconds),
        origin(run) or numbers.DASH,
    )


def fingerprints_grid(table: Table1) -> Grid:
    """What the rows' runs have in common."""
    return grid(
        ("Row", "Config fingerprint", "Comparison fingerprint"),
        [(row.label, row.config, row.comparison) for row in table.rows],
    )


def lineage_grid(table: Table1) -> Grid:
    """Which pretraining each row started from: the pretraining run, its fingerprint, and the seeds that began there."""
    seeds: dict[tuple[str, str, str], list[int]] = {}
    for row in table.rows:
        for run in row.runs:
            if start := origin(run):
                print_ = run.summary.pretraining.fingerprint if run.summary.pretraining else ""
                seeds.setdefault((row.label, start, print_ or numbers.DASH), []).append(run.summary.seed)
    head = ("Row", "Started from", "Fingerprint of the pretraining", "Seeds")
    return grid(head, [(*key, numbers.names(found)) for key, found in seeds.items()])


def missing(table: Table1, found: Found) -> list[str]:
    """A line for every run that is not there, for seeds that only other rows have, and for runs left aside."""
    lines = [f"{run.state}: {run}" for run in found.missing]
    lines += [
        f"{row.label}: no finished run for these seeds: {numbers.names(row.missing_seeds)}"
        for row in table.rows
        if row.missing_seeds
    ]
    if found.others:
        lines.append(f"not part of the study, so not read: {numbers.count(found.others)} runs in its folder")
    return lines
