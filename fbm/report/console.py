"""A report on the terminal."""

from collections.abc import Iterator

from fbm.report import numbers, table1_cells
from fbm.report.comparison_table import console_comparisons
from fbm.report.make import Report
from fbm.report.summary_sentence import summary_sentence
from fbm.report.table import rich_table

NAMED = 10  # missing runs that are named here; the files name all


def print_report(report: Report) -> None:
    """Print Table 1, the paired differences, what is missing, and the paths of the files."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console = Console(width=160)  # a pipe has no width, and 80 columns truncate the table
    console.print(rich_table(table1_cells.console_table1(report.table)))
    if len(report.table.fractions) < 2 and table1_cells.PAPER in table1_cells.columns(report.table):
        console.print("* published for UCF-101's 24 classes, for reference", highlight=False)
    console.print()
    if report.differences:
        console.print(rich_table(console_comparisons(report.differences)))
    for line in _lines(report):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _lines(report: Report) -> Iterator[str]:
    yield from ("", summary_sentence(report.table), *report.table.notes)
    missing = table1_cells.missing_lines(report.found)
    yield from missing[:NAMED]
    if len(missing) > NAMED:
        yield f"and {len(missing) - NAMED} more such lines, see table1.md"
    for row in report.table.rows:
        if row.missing_seeds:
            yield f"missing seeds of {row.label}: {numbers.names(row.missing_seeds)}"
    yield from (*report.skipped, "", *map(str, report.files))
