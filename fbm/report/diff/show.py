"""A `RunDiff` for a reader: a table on a terminal, lines in a pipe, JSON for programs."""

import json
import math
from typing import TYPE_CHECKING, Any

from fbm.report.diff.compare import Absent, RunDiff

if TYPE_CHECKING:
    from rich.table import Table


def print_diff(diff: RunDiff) -> None:
    """Print it as a table on a terminal, as lines elsewhere."""
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    if console.is_terminal:
        console.print(_table(diff))
        for line in _closing(diff):
            console.print(line, soft_wrap=True)
        return
    print(f"a: {diff.a.folder}\nb: {diff.b.folder}")
    for name, a, b, change in _rows(diff):
        print(f"{name}: {a} | {b} ({change})" if change else f"{name}: {a} | {b}")
    print("\n".join(_closing(diff)))


def _closing(diff: RunDiff) -> list[str]:
    """What is the same, what is not known, and the verdict."""
    same = [name for name, rows in diff.groups.items() if not rows]
    if not diff.unfinished and not diff.results:
        same.append("results")
    lines = [f"same: {', '.join(same)}"] if same else []
    lines += [f"unfinished, only its config is known: {run.folder}" for run in diff.unfinished]
    return [*lines, diff.verdict.sentence]


def _table(diff: RunDiff) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD)
    for head in ("", f"a: {diff.a.folder}", f"b: {diff.b.folder}", "b - a"):
        drawn.add_column(Text(head), overflow="fold")  # a truncated path or number is useless
    group = ""
    for row in _rows(diff):
        name = row[0].partition(":")[0]
        if group and name != group:
            drawn.add_section()
        group = name
        drawn.add_row(*map(Text, row))
    return drawn


def _rows(diff: RunDiff) -> list[tuple[str, str, str, str]]:
    """Group and key, both values, and the difference of results with its sign."""
    rows = [
        (f"{name}: {key}", _printed(a), _printed(b), "")
        for name, pairs in diff.groups.items()
        for key, (a, b) in pairs.items()
    ]
    for key, (a, b) in diff.results.items():
        change = _difference(a, b)
        shown = "-" if change is None else f"{change:+.4g}" if change else "same"
        rows.append((f"results: {key}", _printed(a), _printed(b), shown))
    return rows


def _printed(value: Any) -> str:
    if isinstance(value, Absent):
        return value.value
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _difference(a: Any, b: Any) -> float | None:
    """b - a; None unless both are finite numbers."""
    if not all(isinstance(value, int | float) and math.isfinite(value) for value in (a, b)):
        return None
    return float(b - a)


def to_json(diff: RunDiff) -> str:
    """All of it; a key that one of the runs does not have is left out on that side."""
    content = {
        "runs": {"a": str(diff.a.folder), "b": str(diff.b.folder)},
        "unfinished": [str(run.folder) for run in diff.unfinished],
        "groups": {name: {key: _pair(a, b) for key, (a, b) in rows.items()} for name, rows in diff.groups.items()},
        "results": {key: {**_pair(a, b), "difference": _difference(a, b)} for key, (a, b) in diff.results.items()},
        "verdict": {"may": diff.verdict.kind, "sentence": diff.verdict.sentence},
    }
    return json.dumps(content, indent=2, ensure_ascii=False, default=str)


def _pair(a: Any, b: Any) -> dict[str, Any]:
    """The values that are there; nan as null, since JSON has none."""
    finite = [None if isinstance(value, float) and not math.isfinite(value) else value for value in (a, b)]
    return {run: value for run, value in zip("ab", finite, strict=True) if not isinstance(value, Absent)}
