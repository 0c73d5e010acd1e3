"""Two runs side by side for a reader: a table on a terminal, lines in a pipe, JSON for programs."""

import json
import math
from typing import TYPE_CHECKING, Any

from fbm.report.diff.compare import Absent, RunDiff

if TYPE_CHECKING:
    from rich.table import Table


def tell(compared: RunDiff) -> None:
    """Print it."""
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        print("\n".join(lines(compared)))
        return
    console.print(table(compared))
    for line in closing(compared):
        console.print(line, soft_wrap=True)


def lines(compared: RunDiff) -> list[str]:
    """One line for each thing that differs."""
    told = [f"a: {compared.a.folder}", f"b: {compared.b.folder}"]
    for name, rows in compared.groups.items():
        told += [f"{name}: {key}: {said(a)} | {said(b)}" for key, (a, b) in rows.items()]
    told += [
        f"results: {key}: {said(a)} | {said(b)} ({said_difference(a, b)})" for key, (a, b) in compared.results.items()
    ]
    return told + closing(compared)


def closing(compared: RunDiff) -> list[str]:
    """What is the same, what is not known, and the verdict."""
    finished = not compared.unfinished
    same = [name for name, rows in compared.groups.items() if not rows]
    same += ["results"] if finished and not compared.results else []
    told = [f"same: {', '.join(same)}"] if same else []
    told += [f"unfinished, only its config is known: {side.folder}" for side in compared.unfinished]
    return [*told, compared.verdict.sentence]


def table(compared: RunDiff) -> "Table":
    """The same as a table."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD)
    for head in ("", f"a: {compared.a.folder}", f"b: {compared.b.folder}", "b - a"):
        drawn.add_column(Text(head), overflow="fold")  # a path or a number cut short says nothing
    for name, rows in compared.groups.items():
        for key, (a, b) in rows.items():
            drawn.add_row(*(Text(cell) for cell in (f"{name}: {key}", said(a), said(b), "")))
        if rows:
            drawn.add_section()
    for key, (a, b) in compared.results.items():
        drawn.add_row(*(Text(cell) for cell in (f"results: {key}", said(a), said(b), said_difference(a, b))))
    return drawn


def said(value: Any) -> str:
    """A value as a reader sees it."""
    if isinstance(value, Absent):
        return value.value
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def difference(a: Any, b: Any) -> float | None:
    """b - a; None where one is no finite number."""
    if not all(isinstance(value, int | float) and math.isfinite(value) for value in (a, b)):
        return None
    return float(b - a)


def said_difference(a: Any, b: Any) -> str:
    """The difference with its sign."""
    value = difference(a, b)
    return "-" if value is None else f"{value:+.4g}" if value else "same"


def as_json(compared: RunDiff) -> str:
    """All of it; a key that one of the runs does not have is left out on that side."""
    content = {
        "runs": {"a": str(compared.a.folder), "b": str(compared.b.folder)},
        "unfinished": [str(side.folder) for side in compared.unfinished],
        "groups": {name: {key: _pair(a, b) for key, (a, b) in rows.items()} for name, rows in compared.groups.items()},
        "results": {key: {**_pair(a, b), "difference": difference(a, b)} for key, (a, b) in compared.results.items()},
        "verdict": {"may": compared.verdict.kind, "sentence": compared.verdict.sentence},
    }
    return json.dumps(content, indent=2, ensure_ascii=False, default=str)


def _pair(a: Any, b: Any) -> dict[str, Any]:
    return {side: _finite(value) for side, value in (("a", a), ("b", b)) if not isinstance(value, Absent)}


def _finite(value: Any) -> Any:
    """JSON knows no nan."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
