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
    if not console.is_terminal:
        print("\n".join(lines(diff)))
        return
    console.print(table(diff))
    for line in closing(diff):
        console.print(line, soft_wrap=True)


def lines(diff: RunDiff) -> list[str]:
    """One line for each difference."""
    texts = [f"a: {diff.a.folder}", f"b: {diff.b.folder}"]
    for name, a, b, change in _rows(diff):
        texts.append(f"{name}: {a} | {b} ({change})" if change else f"{name}: {a} | {b}")
    return texts + closing(diff)


def closing(diff: RunDiff) -> list[str]:
    """What is the same, what is not known, and the verdict."""
    same = [name for name, rows in diff.groups.items() if not rows]
    if not diff.unfinished and not diff.results:
        same.append("results")
    texts = [f"same: {', '.join(same)}"] if same else []
    texts += [f"unfinished, only its config is known: {run.folder}" for run in diff.unfinished]
    return [*texts, diff.verdict.sentence]


def table(diff: RunDiff) -> "Table":
    """The differences as a table."""
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
    """Group and key, both values, and the difference of results."""
    groups = [(f"{name}: {key}", pair) for name, rows in diff.groups.items() for key, pair in rows.items()]
    rows = [(name, printed(a), printed(b), "") for name, (a, b) in groups]
    results = diff.results.items()
    return rows + [(f"results: {key}", printed(a), printed(b), printed_difference(a, b)) for key, (a, b) in results]


def printed(value: Any) -> str:
    """A value as text."""
    if isinstance(value, Absent):
        return value.value
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def difference(a: Any, b: Any) -> float | None:
    """b - a; None unless both are finite numbers."""
    if not all(isinstance(value, int | float) and math.isfinite(value) for value in (a, b)):
        return None
    return float(b - a)


def printed_difference(a: Any, b: Any) -> str:
    """The difference with its sign."""
    value = difference(a, b)
    if value is None:
        return "-"
    return f"{value:+.4g}" if value else "same"


def to_json(diff: RunDiff) -> str:
    """All of it; a key that one of the runs does not have is left out on that side."""
    content = {
        "runs": {"a": str(diff.a.folder), "b": str(diff.b.folder)},
        "unfinished": [str(run.folder) for run in diff.unfinished],
        "groups": {name: {key: _pair(a, b) for key, (a, b) in rows.items()} for name, rows in diff.groups.items()},
        "results": {key: {**_pair(a, b), "difference": difference(a, b)} for key, (a, b) in diff.results.items()},
        "verdict": {"may": diff.verdict.kind, "sentence": diff.verdict.sentence},
    }
    return json.dumps(content, indent=2, ensure_ascii=False, default=str)


def _pair(a: Any, b: Any) -> dict[str, Any]:
    """The values that are there; nan as null, since JSON has none."""
    finite = [None if isinstance(value, float) and not math.isfinite(value) else value for value in (a, b)]
    return {run: value for run, value in zip("ab", finite, strict=True) if not isinstance(value, Absent)}
