"""The journal of an unfinished preparation: the row of each finished video, a line each, written at once."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from fbm.data.store.manifest import FORMAT, StoredVideo

# By format, since checksums differ between formats.
JOURNAL = f"journal-{FORMAT}.jsonl"


@contextmanager
def journal(path: Path) -> Iterator[Callable[[StoredVideo], None]]:
    """Open a journal; the function that it gives appends the row of a finished video.

    Raises:
        OSError: it cannot be written; also when it is closed.
    """
    content = path.read_bytes() if path.is_file() else b""
    with path.open("a") as file:
        if content and not content.endswith(b"\n"):  # a line that was cut by a kill
            file.write("\n")

        def append(row: StoredVideo) -> None:
            file.write(as_line(row))
            file.flush()

        yield append


def as_line(row: StoredVideo) -> str:
    """A row as a line of a journal."""
    return json.dumps(asdict(row)) + "\n"


def read_journals(paths: Iterable[Path]) -> dict[str, StoredVideo]:
    """The rows of those journals that exist, by name; of several rows of a video, the last one."""
    rows: dict[str, StoredVideo] = {}
    for path in paths:
        for line in path.read_text().splitlines() if path.is_file() else ():
            try:
                row = StoredVideo(**json.loads(line))
            except (ValueError, TypeError):
                continue  # a line that was cut by a kill
            rows[row.name] = row
    return rows
