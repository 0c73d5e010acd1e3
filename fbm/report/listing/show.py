"""The table and the CSV records of `fbm runs`."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from fbm.report import export
from fbm.report.listing.entries import Entry, Value
from fbm.report.numbers import DASH, duration, percent, plain
from fbm.report.read.runs import CLIP, VAL, VIDEO, Run, RunSet
from fbm.report.table import Table

SHARES = (VAL, CLIP, VIDEO)  # shown in per cent


def table(listed: Sequence[Entry], by: str | None, more: Sequence[str]) -> Table:
    """A row a run: where it is, its state, what it is, and its most important results."""
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


def records(listed: Sequence[Entry], more: Sequence[str]) -> list[Mapping[str, object]]:
    """One record a run: a finished one's as in a report's runs.csv, of the others what is known."""
    return [{"state": entry.state, **_record(entry), **{key: entry.value(key) for key in more}} for entry in listed]


def _record(entry: Entry) -> Mapping[str, object]:
    if entry.summary is not None:
        return export.runs(RunSet((Run(entry.path, entry.summary),)))[0]
    return {key: entry.value(key) for key in ("folder", "study", "run", "task", "init", "seed")} | dict(entry.metrics)
