"""The results of an analysis on the terminal: two tables for each run."""

from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console
from rich.table import Table

from fbm.evaluation.probing.run import AnalysedRun
from fbm.report.scores import scores_table
from fbm.report.table import rich_table
from fbm.runs.files import PROBES
from fbm.runs.probes import Probe, ProbeReport


def print_runs(runs: Sequence[AnalysedRun]) -> None:
    """Print the probes and the scores of each run, and the paths of its files."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=120)  # a pipe has no width
    for run in runs:
        console.print(table(run))
        if scores := scores_table([("", run.report.scores)]):
            console.print(rich_table(replace(scores, rows=scores.rows[1:])))
        if run.report.retrieval:
            console.print(retrieval_table(run.report))
        for line in _lines(run):
            console.print(line, markup=False, highlight=False, soft_wrap=True)


def table(run: AnalysedRun) -> Table:
    """Rows are parts, columns factors: accuracy in % on test clips with its interval, chance, and effective ranks."""
    report = run.report
    factors = list(dict.fromkeys(probe.factor for probe in report.probes))
    drawn = Table("features", *factors, "effective rank", title=f"{run.folder}: linear probes, % of test clips")
    for part, rank in report.effective_rank.items():
        drawn.add_row(part, *_cells(report.probes, part, factors), _decimal(rank))
    drawn.add_section()
    control = _cells(report.control, "all", factors)
    drawn.add_row("all, untrained", *control, _decimal(report.control_effective_rank))
    chances = {probe.factor: probe.chance for probe in report.probes}
    drawn.add_row("chance", *(f"{100 * chances[factor]:.0f}" for factor in factors), "")
    return drawn


def retrieval_table(report: ProbeReport) -> Table:
    """R@k in % of test videos with its interval, of the trained and of the untrained encoder."""
    drawn = Table("features", *(f"R@{one.k}" for one in report.retrieval), title="retrieval, % of test videos")
    for name, found in (("all", report.retrieval), ("all, untrained", report.control_retrieval)):
        drawn.add_row(name, *(_with_interval(one.recall, one.low, one.high) for one in found))
    return drawn


def _cells(probes: Sequence[Probe], part: str, factors: Sequence[str]) -> list[str]:
    of_part = {probe.factor: probe for probe in probes if probe.part == part}
    found = [of_part[factor] for factor in factors]
    return [_with_interval(probe.accuracy, probe.low, probe.high) for probe in found]


def _with_interval(share: float, low: float, high: float) -> str:
    return f"{100 * share:.0f} ({100 * low:.0f} to {100 * high:.0f})"


def _decimal(rank: float | None) -> str:
    return "" if rank is None else f"{rank:.1f}"


def _lines(run: AnalysedRun) -> list[str]:
    report: ProbeReport = run.report
    lines = [f"in brackets: {report.interval}"]
    files = ", ".join(str(run.folder / name) for name in (PROBES, *report.pictures))
    return [*lines, files if run.fresh else f"{files} (made before; --overwrite repeats the analysis)", ""]
