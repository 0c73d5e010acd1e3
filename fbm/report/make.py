"""One report from start to end: read, compute, draw, write, tell."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fbm.report import numbers, tables
from fbm.report.figures import VAL, figure2, figure3
from fbm.report.headline import headline
from fbm.report.page import Pictures, render
from fbm.report.runs import Found, find, shown
from fbm.report.table1 import Table1, table1
from fbm.report.write import write


@dataclass(frozen=True)
class Report:
    """What was made: the table, the files in order of reading, and one line for each thing left out."""

    table: Table1
    found: Found
    files: tuple[Path, ...]
    skipped: tuple[str, ...]


def make(paths: Sequence[Path], out: Path, command: str) -> Report:
    """Read every run under `paths` and write the report to `out`. UserError for what the user can mend."""
    found = find(paths)
    table = table1(found)
    reconstructions, says = figure2(found)
    curves = figure3(table)
    pictures = Pictures(
        figure2=_picture(out / "figure2.png", reconstructions.read_bytes() if reconstructions else None),
        figure2_says=says,
        figure3=_picture(out / "figure3.png", curves),
    )
    files = [
        write(out / "index.html", render(table, found, pictures, command)),
        write(out / "table1.md", tables.markdown(table, found)),
        write(out / "table1.json", tables.as_json(table, found)),
    ]
    files += [picture for picture in (pictures.figure2, pictures.figure3) if picture]
    skipped = [] if pictures.figure2 else [f"figure2.png left out: {says}"]
    skipped += [] if pictures.figure3 else [f"figure3.png left out: no {VAL} in any metrics.csv"]
    return Report(table, found, tuple(files), tuple(skipped))


def _picture(file: Path, png: bytes | None) -> Path | None:
    if png is None:
        file.unlink(missing_ok=True)  # an earlier report's picture must not pass for this one's
        return None
    return write(file, png)


def tell(report: Report) -> None:
    """Table 1, what is missing and where the files are, on the terminal."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console = Console(width=160)  # a pipe has no width of its own, and 80 columns cut the table up
    console.print(tables.terminal(report.table))
    lines = [
        "* published for UCF-101's 24 classes, for reference",
        "",
        headline(report.table),
        *report.table.notes,
    ]
    lines += [f"unfinished, not averaged: {shown(path)}" for path in report.found.unfinished]
    for row in report.table.rows:
        if row.missing_seeds:
            lines.append(f"missing seeds of {row.label}: {numbers.names(row.missing_seeds)}")
    lines += [*report.skipped, "", *map(str, report.files)]
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
