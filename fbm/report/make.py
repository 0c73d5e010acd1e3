"""Making a report: read, compute, draw, write."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fbm.report import csv_export, json_export, table1_cells
from fbm.report.comparison_table import comparison_table
from fbm.report.comparisons import Difference, differences
from fbm.report.figures import VAL, figure2, figure3, figure_scarcity
from fbm.report.page import Pictures, render
from fbm.report.read.runs import RunSet, find
from fbm.report.scarcity import Curve, scarcity
from fbm.report.scarcity_table import scarcity_table
from fbm.report.table import latex, markdown
from fbm.report.table1 import Table1, table1
from fbm.report.write import write

SCARCITY = "label-scarcity.png"
Texts = dict[str, str | None]  # contents by file name; None removes what an earlier report left


@dataclass(frozen=True)
class Report:
    """A report: its tables, its files in order of reading, and one line for each file that was left out."""

    table: Table1
    found: RunSet
    differences: tuple[Difference, ...]
    curves: tuple[Curve, ...]
    files: tuple[Path, ...]
    skipped: tuple[str, ...]


def make(paths: Sequence[Path], out: Path, command: str) -> Report:
    """Read every run under `paths` and write the report to `out`. UserError for what the user can fix."""
    found = find(paths)
    table = table1(found)
    apart, curves = differences(table), scarcity(table)
    drawn, skipped = _draw(out, found, table, curves)
    texts: Texts = {
        "index.html": render(table, found, drawn, command, apart, curves),
        **_texts(table, found, apart, curves),
    }
    written = [_replace(out / name, text) for name, text in texts.items()]
    pictures = (drawn.figure2, drawn.figure3, out / SCARCITY if curves else None)
    return Report(table, found, apart, curves, tuple(file for file in (*written, *pictures) if file), skipped)


def _draw(out: Path, found: RunSet, table: Table1, curves: Sequence[Curve]) -> tuple[Pictures, tuple[str, ...]]:
    """The pictures, and why one of them is not there."""
    reconstructions, caption = figure2(found)
    second = _replace(out / "figure2.png", reconstructions.read_bytes() if reconstructions else None)
    third = _replace(out / "figure3.png", figure3(table))
    _replace(out / SCARCITY, figure_scarcity(curves, table.classes))
    skipped = [] if second else [f"figure2.png left out: {caption}"]
    skipped += [] if third else [f"figure3.png left out: no {VAL} in any metrics.csv"]
    return Pictures(second, caption, third), tuple(skipped)


def _texts(table: Table1, found: RunSet, differences: Sequence[Difference], curves: Sequence[Curve]) -> Texts:
    """The tables as text files, in order of reading."""
    main, compared = table1_cells.full_table(table, found), comparison_table(differences, table)
    by_share = scarcity_table(curves, table.data)
    return {
        "table1.md": markdown(main),
        "table1.json": json_export.table1_json(table, found),
        "table1.csv": csv_export.to_csv(csv_export.rows(table)),
        "table1.tex": latex(table1_cells.latex_table(table, found)),
        "comparisons.md": markdown(compared) if differences else None,
        "comparisons.json": json_export.comparisons_json(differences, table) if differences else None,
        "comparisons.csv": csv_export.to_csv(csv_export.differences(differences)) if differences else None,
        "comparisons.tex": latex(compared) if differences else None,
        "scarcity.md": markdown(by_share) if curves else None,
        "scarcity.csv": csv_export.to_csv(csv_export.points(curves)) if curves else None,
        "scarcity.tex": latex(by_share) if curves else None,
        "runs.csv": csv_export.to_csv(csv_export.runs(found)),
    }


def _replace(file: Path, content: bytes | str | None) -> Path | None:
    """Write a file; without content remove it: an earlier report's must not pass for this one's."""
    if content is None:
        file.unlink(missing_ok=True)
        return None
    return write(file, content)
