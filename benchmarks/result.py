"""What a benchmark found: tables of ratios to read, and every figure as JSON."""

import json
import os
import statistics
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from fbm.runs.provenance import processor, versions
from fbm.utils.files import write_text


@dataclass(frozen=True)
class Row:
    """One way of doing it: a value for each round, in the order of the rounds."""

    name: str
    values: list[float]
    note: str = ""

    @property
    def median(self) -> float:
        """Over the rounds."""
        return statistics.median(self.values)


@dataclass(frozen=True)
class Table:
    """Ways of doing the same, ours the first row.

    Attributes:
        unit: of all values.
        better: whether more of it is better, or less.
        compared: what `times` is called here.
    """

    title: str
    unit: str
    better: Literal["more", "less"]
    rows: list[Row]
    compared: str = "ours is times as fast"

    def times(self, row: Row) -> float:
        """How many times as fast as this row ours is: the median over the rounds, each compared with itself."""
        ours = self.rows[0].values
        pairs = zip(ours, row.values, strict=True)
        return statistics.median(a / b if self.better == "more" else b / a for a, b in pairs)

    def text(self) -> str:
        """Markdown."""
        lines = [f"| {self.title} | {self.unit} | least to most | {self.compared} | |", "| --- |" + " --- |" * 4]
        for row in self.rows:
            spread = f"{_short(min(row.values))} to {_short(max(row.values))}"
            lines.append(f"| {row.name} | {_short(row.median)} | {spread} | {self.times(row):.2f} | {row.note} |")
        return "\n".join(lines)


@dataclass
class Result:
    """All that one question's command found; `notes` are sentences that belong to it, `more` goes into the JSON."""

    question: str
    command: str
    tables: list[Table] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    more: dict[str, Any] = field(default_factory=dict)

    def text(self) -> str:
        """Everything to read."""
        return "\n\n".join([f"`{self.command}`", machine(), *(table.text() for table in self.tables), *self.notes])

    def write(self, path: Path) -> None:
        """As JSON, with every round's values."""
        tables = [
            {**asdict(table), "ours_is_times_as_fast": {row.name: table.times(row) for row in table.rows}}
            for table in self.tables
        ]
        content = {
            **{"question": self.question, "command": self.command, "machine": machine(), "versions": versions()},
            **{"tables": tables, "notes": self.notes, **self.more},
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(content, indent=1) + "\n")


def machine() -> str:
    """Processor, GPU and the versions that matter for speed, in a line."""
    import torch

    found = versions()
    gpu = f", {torch.cuda.get_device_name(0)}" if torch.cuda.is_available() else ""
    packages = ", ".join(f"{name} {found[name]}" for name in ("torch", "pytorch-lightning", "numpy") if name in found)
    return f"{processor()}, {len(os.sched_getaffinity(0))} cores{gpu}; Python {found['python']}, {packages}"


def _short(value: float) -> str:
    """Three figures that count, with commas."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
