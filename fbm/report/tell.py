"""What a report says on the terminal."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from fbm.report import comparison_table, numbers, tables
from fbm.report.headline import headline
from fbm.report.make import Report

if TYPE_CHECKING:
    from rich.table import Table

NAMED = 10  # missing runs that are named here; the files name all


def tell(report: Report) -> None:
    """Table 1, the paired differences, what is missing and where the files are."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console = Console(width=160)  # a pipe has no width of its own, and 80 columns cut the table up
    console.print(tables.terminal(report.table))
    if len(report.table.fractions) < 2 and tables.PAPER in tables.columns(report.table):
        console.print("* published for UCF-101's 24 classes, for reference", highlight=False)
    console.print()
    if report.differences:
        console.print(_differences(report))
    for line in _lines(report):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _lines(report: Report) -> Iterator[str]:
    yield from ("", headline(report.table), *report.table.notes)
    absent = tables.absent(report.found)
    yield from absent[:NAMED]
    if len(absent) > NAMED:
        yield f"and {len(absent) - NAMED} more such lines, see table1.md"
    for row in report.table.rows:
        if row.missing_seeds:
            yield f"missing seeds of {row.label}: {numbers.names(row.missing_seeds)}"
    yield from (*report.skipped, "", *map(str, report.files))


def _differences(report: Report) -> "Table":
    """The paired differences in 80 characters; comparisons.md says what the tests assume."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    drawn = Table(title="Paired differences", box=box.SIMPLE_HEAD, show_edge=False, caption_justify="left")
    drawn.caption = "Mean \u00b1 95 % interval over pairs of seeds; what the tests assume: comparisons.md"
    drawn.pad_edge, drawn.collapse_padding = False, True
    for head in ("Difference", "Clip, points", "Pairs", "t p", "Holm p", "Flip p"):
        drawn.add_column(head, justify="left" if head == "Difference" else "right", no_wrap=head != "Difference")
    within = ""
    for one in report.differences:
        if one.within != within:
            within = one.within
            drawn.add_row(Text(within, style="bold"))
        label, points, pairs, _, t_p, holm_p, flip_p, _ = comparison_table.cells(one)
        drawn.add_row(*(Text(cell) for cell in (label, points, pairs, t_p, holm_p, flip_p)))
    return drawn
