"""A report on the terminal."""

from collections.abc import Iterator

from fbm.report import comparison_table, numbers, table1_table
from fbm.report.make import Report
from fbm.report.table import rich_table, wide_console

NAMED = 10  # missing runs that are named here; the files name all


def print_report(report: Report) -> None:
    """Print Table 1, the paired differences, what is missing, and the paths of the files."""
    console = wide_console()
    table = table1_table.console_table(report.results.table1)
    console.print(rich_table(table))
    if table1_table.COLUMNS["paper"].console in table.head:
        console.print("* published for UCF-101's 24 classes, for reference", highlight=False)
    console.print()
    if report.results.differences:
        console.print(rich_table(comparison_table.console_table(report.results.differences)))
    for line in _lines(report):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _lines(report: Report) -> Iterator[str]:
    table = report.results.table1
    yield from ("", report.results.sentence, *table.notes)
    missing = table1_table.missing_lines(report.results.found)
    yield from missing[:NAMED]
    if len(missing) > NAMED:
        yield f"and {len(missing) - NAMED} more such lines, see table1.md"
    for row in table.rows:
        if row.missing_seeds:
            yield f"missing seeds of {row.label}: {numbers.names(row.missing_seeds)}"
    yield from (*report.skipped, "", *map(str, report.files))
