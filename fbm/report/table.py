"""A formatted table, and its renderings: Markdown, LaTeX and the terminal. The web page renders the same object."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fbm.report.numbers import DASH

if TYPE_CHECKING:
    import rich.console
    import rich.table

NUMBER = re.compile(r"[-+<±–\d.,\s]*(\(\d+( of \d+)?\)|\([-+.\d]+ to [-+.\d]+\))?|\d+ (s|min \d+ s|h \d+ min)")
PIPE_WIDTH = 160
LONG = 24  # characters from which on the text of a column may wrap
# Without booktabs its rules are plain lines; where it is loaded these do nothing.
RULES = tuple(rf"\providecommand{{\{rule}}}{{\hline}}" for rule in ("toprule", "midrule", "bottomrule"))
SPECIAL = {character: f"\\{character}" for character in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",  # these three are other signs in the old font encoding
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "[": "{[}",  # after the end of a row these two would be its arguments
    "*": "{*}",
    "±": r"$\pm$",
    "−": "$-$",
    "–": "--",
    "×": r"$\times$",
    "\u202f": r"\,",
    "\u00a0": "~",
}
UNESCAPED = re.compile("|".join(map(re.escape, SPECIAL)))
NEGATIVE = re.compile(r"^-(?=\d)")


@dataclass(frozen=True)
class Table:
    """Formatted cells with the text that belongs beside them.

    Attributes:
        rows: as long as `head`. The first cell names the row.
        notes: sentences that change how the numbers are to be read.
        remarks: what the columns mean, and what is left out.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str = ""
    caption: str = ""
    notes: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def select(self, columns: Sequence[int]) -> "Table":
        """The table with these columns, by place."""
        head = tuple(self.head[at] for at in columns)
        return replace(self, head=head, rows=tuple(tuple(row[at] for at in columns) for row in self.rows))

    def without_empty_columns(self) -> "Table":
        """The table without columns, other than the first, that are empty in every row."""
        columns = range(len(self.head))
        return self.select([at for at in columns if not at or any(row[at] not in ("", DASH) for row in self.rows)])

    @property
    def kinds(self) -> list[str]:
        """For each column `num` (numbers, aligned right), `long` (text that may wrap) or nothing."""
        kinds = []
        for at, column in enumerate(list(zip(*self.rows, strict=True)) or [()] * len(self.head)):
            text = "long" if max(map(len, column), default=0) > LONG else ""
            kinds.append("num" if at and all(map(NUMBER.fullmatch, column)) else text)
        return kinds


def markdown(table: Table) -> str:
    """The table as a Markdown page of its own."""
    grid = (table.head, ["---" for _ in table.head], *table.rows)
    lines = [f"# {table.title}", "", table.caption, ""]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in grid]
    lines += ["", *(f"**{note}**  " for note in table.notes), *(f"- {remark}" for remark in table.remarks)]
    return "\n".join(lines) + "\n"


def latex(table: Table) -> str:
    """A `tabular` to `\\input` into a paper. It needs no package, and looks better with booktabs.

    Title, caption, notes and remarks are comments above it.
    """
    texts = (f"{table.title}. {table.caption}", *table.notes, *table.remarks)
    head, *rows = (" & ".join(map(escape, line)) + r" \\" for line in (table.head, *table.rows))
    lines = [
        *(f"% {' '.join(text.split())}" for text in texts),
        *RULES,
        rf"\begin{{tabular}}{{l{'r' * (len(table.head) - 1)}}}",
        r"\toprule",
        head,
        r"\midrule",
        *rows,
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """Any text for LaTeX; a leading hyphen becomes a minus sign."""
    return UNESCAPED.sub(lambda found: SPECIAL[found[0]], NEGATIVE.sub("−", text))


def wide_console() -> "rich.console.Console":
    """A console for tables; a pipe has no width, and 80 columns would cut them."""
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=PIPE_WIDTH)


def rich_table(table: Table) -> "rich.table.Table":
    """The table for a terminal; a row of which only the first cell is filled is a heading."""
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    drawn = RichTable(
        title=table.title,
        caption=table.caption,
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        collapse_padding=True,
    )
    for at, head in enumerate(table.head):
        # A name is never cut: it may be a path, without a space to wrap at.
        drawn.add_column(head, justify="right" if at else "left", overflow="ellipsis" if at else "fold", no_wrap=at > 0)
    for row in table.rows:
        style = "" if any(row[1:]) else "bold"
        drawn.add_row(*(Text(cell, style=style) for cell in row))  # Text: labels may hold brackets
    return drawn
