"""Measured versions on the terminal."""

from collections.abc import Sequence

from fbm.evaluation.bias.run import MeasuredBias
from fbm.report.bias import bias_table
from fbm.report.read.runs import Run, RunSet
from fbm.report.table import rich_table, wide_console
from fbm.runs.files import BIAS
from fbm.runs.summary import read_summary


def print_bias(measured: Sequence[MeasuredBias]) -> None:
    """Print a table of all runs, initialisation by initialisation, and the paths of their files."""
    console = wide_console()
    table = bias_table(RunSet(tuple(Run(one.folder, read_summary(one.folder)) for one in measured)))
    if table:
        console.print(rich_table(table))
    lines = list(table.notes + table.remarks) if table else []
    for one in measured:
        files = f"{one.folder / BIAS}, {one.folder / one.report.picture}"
        lines.append(files if one.fresh else f"{files} (made before; --overwrite repeats the measurement)")
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
