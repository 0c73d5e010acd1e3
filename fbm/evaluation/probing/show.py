"""The results of an analysis on the terminal."""

from collections.abc import Sequence

from fbm.evaluation.probing.run import AnalysedRun
from fbm.report.probes import probes_table, retrieval_table
from fbm.report.scores import scores_table
from fbm.report.table import rich_table, wide_console
from fbm.runs.files import PROBES


def print_runs(runs: Sequence[AnalysedRun]) -> None:
    """Print the probes, the scores and the retrieval of the runs, and the paths of their files."""
    console = wide_console()
    reports = [(str(run.folder), run.report) for run in runs]
    for table in (
        probes_table(reports),
        scores_table([(name, report.scores) for name, report in reports]),
        retrieval_table({name: [report] for name, report in reports}),
    ):
        if table:
            console.print(rich_table(table))
    for run in runs:
        files = ", ".join(str(run.folder / name) for name in (PROBES, *run.report.pictures))
        line = files if run.fresh else f"{files} (made before; --overwrite repeats the analysis)"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
