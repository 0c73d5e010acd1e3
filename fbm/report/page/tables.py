"""Tables of the page alone: runs, fingerprints, lineage and provenance."""

from collections.abc import Iterable, Sequence

from fbm.report import numbers
from fbm.report.read.runs import CLIP, VAL, VIDEO, Run, RunSet
from fbm.report.stats import estimate
from fbm.report.table import Table
from fbm.report.table1 import Table1


def runs_table(found: RunSet) -> Table:
    """A line for each finished run; columns that are empty for all runs are left out."""
    lines: list[dict[str, str]] = []
    a_clip_a_video = all(run.accuracy(VIDEO) == run.accuracy(CLIP) for run in found.runs)
    for run in found.runs:
        summary = run.summary
        partial = f" ({run.tested_clips} of {summary.samples['test']})" if run.partial else ""
        lines.append(
            {
                "Run": summary.run,
                "Task": summary.task,
                "Init": summary.init or numbers.DASH,
                "Seed": str(summary.seed),
                "Labels, %": numbers.DASH if run.label_fraction is None else f"{100 * run.label_fraction:g}",
                "Test clip, %": _accuracy(run, CLIP) + partial,
                "Test video, %": numbers.DASH if a_clip_a_video else _accuracy(run, VIDEO),
                "Val clip, %": numbers.percent(run.accuracy(VAL)),
                "Epochs": numbers.count(summary.epochs),
                "Clips/s": numbers.decimal(summary.throughput.get("clips_per_second")),
                "Time": numbers.duration(summary.seconds),
                "Started from": run.origin or numbers.DASH,
            }
        )
    return Table(tuple(lines[0]), tuple(tuple(line.values()) for line in lines)).without_empty_columns()


def _accuracy(run: Run, metric: str) -> str:
    """With its interval over test groups, if the summary has it."""
    value = run.accuracy(metric)
    return (
        numbers.DASH
        if value is None
        else numbers.accuracy(estimate([value]), run.summary.intervals.get(metric)).removesuffix(" ± –")
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
            if run.origin:
                fingerprint = run.summary.pretraining.fingerprint if run.summary.pretraining else ""
                key = (row.label, run.origin, fingerprint or numbers.DASH)
                seeds.setdefault(key, []).append(run.summary.seed)
    head = ("Row", "Started from", "Fingerprint of the pretraining", "Seeds")
    return Table(head, tuple((*key, numbers.names(found)) for key, found in seeds.items()))


def provenance(runs: Sequence[Run]) -> list[tuple[str, str]]:
    """Label and value of code, versions and machines, values that differ between runs side by side."""
    summaries = [run.summary for run in runs]
    commits = []
    for git in (summary.git for summary in summaries):
        dirty = " with uncommitted changes" if git and git.get("dirty") else ""
        commits.append(f"{git.get('commit')}{dirty}" if git else "not in a git checkout")
    lines = [
        ("Data fingerprint", _distinct(summary.fingerprints.data for summary in summaries)),
        ("Commit", _distinct(commits)),
    ]
    for label, prints in (
        ("Lock (requirements.lock)", [summary.lock for summary in summaries]),
        ("Installed packages", [summary.packages for summary in summaries]),
    ):
        if any(prints):
            lines.append((label, _distinct(text or "not recorded" for text in prints)))
    for title, facts in (
        ("Version", [summary.versions for summary in summaries]),
        ("Hardware", [summary.hardware for summary in summaries]),
    ):
        for key in sorted({key for fact in facts for key in fact}):
            lines.append((f"{title}: {key}", _distinct(str(fact[key]) for fact in facts if key in fact)))
    return lines


def _distinct(values: Iterable[str]) -> str:
    return numbers.names(sorted(set(values)))
