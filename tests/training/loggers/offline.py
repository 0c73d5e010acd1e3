"""Reading back what W&B's offline files hold: records in LevelDB's log format, each a protobuf message."""

import json
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wandb.proto import wandb_internal_pb2

messages: Any = wandb_internal_pb2  # made at run time: no type checker knows what it holds
BLOCK, HEADER, FULL, FIRST, LAST = 32768, 7, 1, 2, 4


class OfflineRun:
    """One `.wandb` file: `run`, `config`, `history`, `summary`, `artifacts`, names of `files`, `exit_code`."""

    def __init__(self, path: Path) -> None:
        self.folder = path.parent
        self.run = messages.RunRecord()
        self.config: dict[str, Any] = {}
        self.history: list[dict[str, Any]] = []
        self.summary: dict[str, Any] = {}
        self.artifacts: list[Any] = []
        self.files: list[str] = []
        self.exit_code: int | None = None
        for record in records(path):
            self._take(record)

    def _take(self, record: Any) -> None:
        kind = record.WhichOneof("record_type")
        if kind == "run":
            self.run = record.run
        elif kind == "config":
            self.config |= values(record.config.update)
        elif kind == "history":
            self.history.append(values(record.history.item))
        elif kind == "summary":
            self.summary |= values(record.summary.update)
        elif kind == "artifact":
            self.artifacts.append(record.artifact)
        elif kind == "files":
            self.files += [file.path for file in record.files.files]
        elif kind == "exit":
            self.exit_code = record.exit.exit_code

    def series(self, name: str) -> list[Any]:
        """All values of one metric, in order."""
        return [row[name] for row in self.history if name in row]

    def table(self, name: str) -> dict[str, Any]:
        """A logged table: its `columns` and `data`."""
        content: dict[str, Any] = json.loads((self.folder / "files" / self.summary[f"{name}.path"]).read_text())
        return content


def values(items: Any) -> dict[str, Any]:
    """Keys and values of a message; nested keys with dots."""
    return {".".join(item.nested_key) or item.key: json.loads(item.value_json) for item in items}


def offline_runs(folder: Path) -> list[OfflineRun]:
    """What the offline files in a run folder hold, oldest first."""
    paths = (folder / "wandb").glob("offline-run-*/run-*.wandb")
    return [ended(path) for path in sorted(paths, key=lambda path: path.stat().st_mtime_ns)]


def ended(path: Path) -> OfflineRun:
    """A run that was ended: W&B's own process may write the last records a moment later."""
    deadline = time.monotonic() + 600
    while (run := OfflineRun(path)).exit_code is None and time.monotonic() < deadline:
        time.sleep(0.05)
    return run


def records(path: Path) -> Iterator[Any]:
    """The messages of a `.wandb` file, those that are whole: W&B may still be writing the last one."""
    content, position, parts = path.read_bytes(), HEADER, b""
    assert content.startswith(b":W&B")
    while position + HEADER <= len(content):
        left = BLOCK - position % BLOCK
        if left < HEADER:  # too short for a header: filled with zeros
            position += left
            continue
        _, length, kind = struct.unpack_from("<IHB", content, position)
        part = content[position + HEADER : position + HEADER + length]
        position += HEADER + length
        if position > len(content):
            return
        parts = part if kind in (FULL, FIRST) else parts + part
        if kind in (FULL, LAST):
            yield messages.Record.FromString(parts)
