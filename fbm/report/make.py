"""One report from start to end: read, compute, draw, write."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fbm.report import comparison_table, records, scarcity_table, tables
from fbm.report.as_json import comparisons_json, table1_json
from fbm.report.comparisons import Difference, differences
from fbm.report.figures import VAL, figure2, figure3, figure_scarcity
from fbm.report.latex import latex
from fbm.report.page import Pictures, render
from fbm.report.read.runs import Found, find
from fbm.report.scarcity import Curve, scarcity
from fbm.report.sheet import markdown
from fbm.report.table1 import Table1, table1
from fbm.report.write import write

SCARCITY = "label-scarcity.png"
Texts = dict[str, str | None]  # contents by file name; None removes what an earlier report left


@dataclass(frozen=True)
class Report:
    """What was made: the tables, the files in order of reading, and one line for each thing left out."""

    table: Table1
    found: Found
    differences: tuple[Difference, ...]
    curves: tuple[Curve, ...]
    files: tuple[Path, ...]
    skipped: tuple[str, ...]


def make(paths: Sequence[Path], out: Path, command: str) -> Report:
    """Read every run under `paths` and write the report to `out`. UserError for what the user can mend."""
    found = find(paths)
    table = table1(found)
    apart, curves = differences(table), scarcity(table)
    drawn, skipped = _draw(out, found, table, curves)
    texts: Texts = {
        "index.html": render(table, found, drawn, command, apart, curves),
        **_table1(table, found),
        **_comparisons(apart, table),
        **_scarcity(curves, table),
        "runs.csv": records.as_csv(records.runs(found)),
    }
    written = [_replace(out / name, text) for name, text in texts.items()]
    pictures = (drawn.figure2, drawn.figure3, out / SCARCITY if curves else None)
    return Report(table, found, apart, curves, tuple(file for file in (*written, *pictures) if file), skipped)


def _draw(out: Path, found: Found, table: Table1, curves: Sequence[Curve]) -> tuple[Pictures, tuple[str, ...]]:
    """The pictures, and why one of them is not there."""
    reconstructions, says = figure2(found)
    second = _replace(out / "figure2.png", reconstructions.read_bytes() if reconstructions else None)
    third = _replace(out / "figure3.png", figure3(table))
    _replace(out / SCARCITY, figure_scarcity(curves, table.classes))
    skipped = [] if second else [f"figure2.png left out: {says}"]
    skipped += [] if third else [f"figure3.png left out: no {VAL} in any metrics.csv"]
    return Pictures(second, says, third), tuple(skipped)


def _table1(table: Table1, found: Found) -> Texts:
    return {
        "table1.md": markdown(tables.sheet(table, found)),
        "table1.json": table1_json(table, found),
        "table1.csv": records.as_csv(records.rows(table)),
        "table1.tex": latex(tables.tex_sheet(table, found)),
    }


def _comparisons(apart: Sequence[Difference], table: Table1) -> Texts:
    sheet = comparison_table.sheet(apart, table)
    return {
        "comparisons.md": markdown(sheet) if apart else None,
        "comparisons.json": comparisons_json(apart, table) if apart else None,
        "comparisons.csv": records.as_csv(records.differences(apart)) if apart else None,
        "comparisons.tex": latex(sheet) if apart else None,
    }


def _scarcity(curves: Sequence[Curve], table: Table1) -> Texts:
    sheet = scarcity_table.sheet(curves, table.data)
    return {
        "scarcity.md": markdown(sheet) if curves else None,
        "scarcity.csv": records.as_csv(records.points(curves)) if curves else None,
        "scarcity.tex": latex(sheet) if curves else None,
    }


def _replace(file: Path, content: bytes | str | None) -> Path | None:
    """Write a file; without content remove it: an earlier report's must not pass for this one's."""
    if content is None:
        file.unlink(missing_ok=True)
        return None
    return write(file, content)
