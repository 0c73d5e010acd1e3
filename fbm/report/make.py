"""Making a report: read, compute, render, write."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fbm.report import export, table1_table
from fbm.report.charts import png
from fbm.report.page import render
from fbm.report.read.runs import VAL, RunSet, find
from fbm.report.results import Results, results
from fbm.report.table import latex, markdown
from fbm.utils.errors import UserError
from fbm.utils.files import atomic_write, shown

# All that a report may consist of, in order of reading.
FILES = (
    *("index.html", "table1.md", "table1.json", "table1.csv", "table1.tex"),
    *("comparisons.md", "comparisons.json", "comparisons.csv", "comparisons.tex"),
    *("protocols.md", "protocols.tex", "scarcity.md", "scarcity.csv", "scarcity.tex", "scores.md", "runs.csv"),
    *("figure2.png", "figure3.png", "label-scarcity.png"),
)


@dataclass(frozen=True)
class Report:
    """A report: what it says, its files in order of reading, and one line for each file that was left out."""

    results: Results
    files: tuple[Path, ...]
    skipped: tuple[str, ...]


def make(paths: Sequence[Path], out: Path, command: str) -> Report:
    """Read every run under `paths` and write the report to `out`. UserError for what the user can fix."""
    return write(find(paths), out, command)


def write(found: RunSet, out: Path, command: str, every: int | None = None) -> Report:
    """Write the report on these runs to `out`, as `make` does; with `every` its page renews itself, see `render`."""
    computed = results(found)
    contents = {"index.html": render(computed, command, every), **_tables(computed), **_pictures(computed)}
    for name in FILES:
        write_or_remove(out / name, contents.get(name))
    skipped = [] if computed.figure2 else [f"figure2.png left out: {computed.figure2_caption}"]
    skipped += [] if computed.validation else [f"figure3.png left out: no {VAL} in any metrics.csv"]
    files = (out / name for name in FILES if contents.get(name) is not None)
    return Report(computed, tuple(files), tuple(skipped))


def _tables(made: Results) -> dict[str, str]:
    """The tables as text files."""
    texts = {
        "table1.md": markdown(made.full_table),
        "table1.json": export.table1_json(made.table1, made.found),
        "table1.csv": export.to_csv(export.rows(made.table1)),
        "table1.tex": latex(table1_table.latex_table(made.table1, made.found)),
        "runs.csv": export.to_csv(export.runs(made.found.runs)),
    }
    if made.compared:
        texts["comparisons.md"] = markdown(made.compared)
        texts["comparisons.json"] = export.comparisons_json(made.differences, made.compared.remarks)
        texts["comparisons.csv"] = export.to_csv(export.differences(made.differences))
        texts["comparisons.tex"] = latex(made.compared)
    if made.protocols:
        texts["protocols.md"] = "\n".join(map(markdown, made.protocols))
        texts["protocols.tex"] = "\n".join(map(latex, made.protocols))
    if made.by_share:
        texts["scarcity.md"] = markdown(made.by_share)
        texts["scarcity.csv"] = export.to_csv(export.points(made.curves))
        texts["scarcity.tex"] = latex(made.by_share)
    if made.scores:
        texts["scores.md"] = "\n".join(map(markdown, made.scores))
    return texts


def _pictures(made: Results) -> dict[str, bytes | None]:
    return {
        "figure2.png": made.figure2.read_bytes() if made.figure2 else None,
        "figure3.png": png.draw(made.validation),
        "label-scarcity.png": png.draw(made.scarcity),
    }


def write_or_remove(file: Path, content: bytes | str | None) -> None:
    """Write a file whole or not at all; without content remove it: an earlier report's must not pass for this one's.

    Raises:
        UserError: it cannot be written.
    """
    try:
        if content is None:
            file.unlink(missing_ok=True)
            return
        with atomic_write(file) as draft:
            draft.write(content.encode("utf-8") if isinstance(content, str) else content)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise UserError(f"{shown(file)}: cannot be written ({why}). Choose another --out.") from error
