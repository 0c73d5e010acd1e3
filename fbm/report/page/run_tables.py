"""The plain tables of the page."""

from fbm.report import numbers
from fbm.report.figures import VAL
from fbm.report.lineage import origin
from fbm.report.read.runs import CLIP, VIDEO, Run, RunSet
from fbm.report.table import Table
from fbm.report.table1 import Table1

RUN_HEAD = (
    "Run", "Task", "Init", "Seed", "Labels, %", "Test clip, %", "Test video, %", "Val clip, %",
    "Epochs", "Clips/s", "Time", "Started from",
)  # fmt: skip


def runs_table(found: RunSet) -> Table:
    """A line for each finished run; columns that are empty for all runs are left out."""
    lines = [_run(run) for run in found.runs]
    if all(run.accuracy(VIDEO) == run.accuracy(CLIP) for run in found.runs):
        at = RUN_HEAD.index("Test video, %")
        lines = [(*line[:at], numbers.DASH, *line[at + 1 :]) for line in lines]
    return Table(RUN_HEAD, tuple(lines)).without_empty_columns()


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


def fingerprints_table(table: Table1) -> Table:
    """What the rows' runs have in common."""
    rows = tuple((row.label, row.config, row.comparison) for row in table.rows)
    return Table(("Row", "Config fingerprint", "Comparison fingerprint"), rows)


def lineage_table(table: Table1) -> Table:
    """Which pretraining each row started from: the pretraining run, its fingerprint, and the seeds that began there."""
    seeds: dict[tuple[str, str, str], list[int]] = {}
    for row in table.rows:
        for run in row.runs:
            if start := origin(run):
                print_ = run.summary.pretraining.fingerprint if run.summary.pretraining else ""
                seeds.setdefault((row.label, start, print_ or numbers.DASH), []).append(run.summary.seed)
    head = ("Row", "Started from", "Fingerprint of the pretraining", "Seeds")
    return Table(head, tuple((*key, numbers.names(found)) for key, found in seeds.items()))


def missing(table: Table1, found: RunSet) -> list[str]:
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
