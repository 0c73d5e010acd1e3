"""A table as a reader sees it, and as Markdown. LaTeX is made of the same cells."""

from collections.abc import Sequence
from dataclasses import dataclass

from fbm.report.numbers import DASH


@dataclass(frozen=True)
class Sheet:
    """Formatted cells with what must stand beside them.

    Attributes:
        notes: sentences that change how the numbers are to be read.
        remarks: what the columns mean, and what is left out.
    """

    title: str
    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def filled(head: Sequence[str], rows: Sequence[tuple[str, ...]]) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Head and rows without the columns that hold nothing in any row."""
    places = [at for at in range(len(head)) if not at or any(row[at] not in ("", DASH) for row in rows)]
    return tuple(head[at] for at in places), tuple(tuple(row[at] for at in places) for row in rows)


def markdown(sheet: Sheet) -> str:
    """The sheet as a Markdown page of its own."""
    lines = [f"# {sheet.title}", "", sheet.caption, "", *table(sheet.head, sheet.rows), ""]
    lines += [f"**{note}**  " for note in sheet.notes]
    lines += [f"- {remark}" for remark in sheet.remarks]
    return "\n".join(lines) + "\n"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a Markdown table."""
    lines = (head, ["---" for _ in head], *rows)
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
