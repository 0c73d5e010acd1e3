"""The table and the CSV records of `fbm runs`."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from fbm.report import export
from fbm.report.listing.entries import Entry, Value
from fbm.report.numbers import DASH, duration, percent, plain
from fbm.report.read.runs import CLIP, VAL, VIDEO, Run
from fbm.report.table import Table, rich_table, wide_console

SHARES = (VAL, CLIP, VIDEO)  # shown in per cent
SHORTEST = 40  # characters of a name that is not cut
PART_END = re.compile(r"(?<=[+/])|(?<=-)(?=[A-Za-z])")  # in TASK-INIT-seedN-KEY-VALUE+KEY-VALUE
REPEATED = re.compile("…+")


def table(listed: Sequence[Entry], by: str | None, more: Sequence[str]) -> Table:
    """A row per run: where it is, its state, what it is, and its most important results."""
    top = Path(os.path.commonpath([entry.path.parent for entry in listed]))
    keys = [key for key in dict.fromkeys(["task", "init", "seed", by, *SHARES, *more]) if key]
    lines = [
        (
            entry.path.relative_to(top).as_posix(),
            entry.state,
            *(_text(key, entry.value(key)) for key in keys),
            *([_monitored(entry)] if not by else []),
            duration(entry.summary.seconds if entry.summary else None),
        )
        for entry in listed
    ]
    head = ("run", "state", *(f"{key}, %" if key in SHARES else key for key in keys))
    return Table((*head, *(() if by else ("best by",)), "time"), tuple(lines)).without_empty_columns()


def _monitored(entry: Entry) -> str:
    """The metric that chose the best epoch, where it has no column of its own."""
    name = entry.summary.monitor if entry.summary else ""
    value = entry.metrics.get(name)
    return "" if value is None or name in SHARES else f"{name} {plain(value)}"


def _text(key: str, value: Value) -> str:
    if value is None:
        return DASH
    if isinstance(value, float) and "/" in key:
        return percent(value) if key in SHARES else plain(value)
    return str(value)


def print_table(made: Table) -> None:
    """Print it. On a terminal that is too narrow names are cut, nothing else: at worst the terminal wraps the lines."""
    console = wide_console()
    room, console.width = console.width, 10_000
    excess = console.measure(rich_table(made)).maximum - room
    if excess > 0 and console.is_terminal:
        names = shortened([row[0] for row in made.rows], max(len(row[0]) for row in made.rows) - excess)
        made = replace(made, rows=tuple((name, *row[1:]) for name, row in zip(names, made.rows, strict=True)))
    drawn = rich_table(made)
    console.width = max(room, console.measure(drawn).maximum)
    console.print(drawn)


def shortened(names: Sequence[str], length: int) -> list[str]:
    """The names, without what those that are longer than `length` have in common: `…seed0-…optim.lr-1e-3`."""
    parts = {name: PART_END.split(name) for name in names if len(name) > max(length, SHORTEST)}
    shared = set.intersection(*map(set, parts.values())) if len(parts) > 1 else set()
    cut = {
        name: REPEATED.sub("…", "".join("…" if part in shared else part for part in own[:-1]) + own[-1])
        for name, own in parts.items()
    }
    made = [cut.get(name, name) for name in names]
    return made if len(set(made)) == len(set(names)) else list(names)


def records(listed: Sequence[Entry], more: Sequence[str]) -> list[Mapping[str, object]]:
    """One record a run: a finished one's as in a report's runs.csv, of the others what is known."""
    return [{"state": entry.state, **_record(entry), **{key: entry.value(key) for key in more}} for entry in listed]


def _record(entry: Entry) -> Mapping[str, object]:
    if entry.summary is not None:
        return export.runs([Run(entry.path, entry.summary)])[0]
    return {key: entry.value(key) for key in ("folder", "study", "run", "task", "init", "seed")} | dict(entry.metrics)
