"""A csv of labelled videos, or of their segments: `path,label` and perhaps `group,split,start,end`."""

import math
import os
from collections.abc import Sequence
from pathlib import Path

from fbm.data.dataset import Split
from fbm.data.datasets.entries import SPLIT_WORDS, Entry, label_text, split_of
from fbm.data.datasets.file_lists import Row, read_table
from fbm.utils.errors import UserError

# The names that each column may have; published lists have other words for some.
COLUMNS = {
    "path": ("path", "clip_path", "video_path", "file_path", "filename", "file_name", "file", "video"),
    "label": ("label", "class", "action"),
    "group": ("group",),
    "split": ("split",),
    "start": ("start",),
    "end": ("end",),
}


def read_video_tables(files: Sequence[Path], root: Path | None) -> list[Entry]:
    """The rows of all files.

    Args:
        root: that paths are relative to; None takes the folder that each file is in.

    Raises:
        UserError: a file is malformed, a path is outside the root, or a value is none.
    """
    if not files:
        raise UserError("data.csv names no file")
    entries = [entry for file in files for entry in _read(file, root)]
    without = [entry for entry in entries if entry.split is None]
    if 0 < len(without) < len(entries):
        raise UserError(f"{without[0].place} has no split, other rows have one: train, val or test")
    return entries


def _read(file: Path, root: Path | None) -> list[Entry]:
    rows = read_table(file, COLUMNS, ("path", "label"))
    base = file.parent if root is None else root
    top = Path(os.path.normpath(base.absolute()))
    # train.csv, val.csv and test.csv need no column.
    of_file = SPLIT_WORDS.get(file.stem.casefold()) if not any("split" in row.values for row in rows) else None
    return [_entry(row, base, top, of_file) for row in rows]


def _entry(row: Row, base: Path, top: Path, of_file: Split | None) -> Entry:
    inside = _inside(row, base, top)
    path = base / inside
    start, end = _seconds(row, "start"), _seconds(row, "end")
    if end is not None and (start or 0.0) >= end:
        raise UserError(f"{row.place}: start={start or 0:g} is not before end={end:g}")
    return Entry(
        row.place,
        path,
        (*inside.parts[:-1], inside.stem),
        inside.parts[:-1],
        label_text(row.values["label"]),
        row.values.get("group"),
        split_of(word, row.place) if (word := row.values.get("split")) else of_file,
        start or 0.0,
        end,
        there=path.is_file(),
    )


def _inside(row: Row, base: Path, top: Path) -> Path:
    """The path of a video below the base; links are not followed, so that they may lead anywhere.

    Args:
        top: the base, absolute and without `..`.
    """
    given = row.values["path"]
    # Some published lists begin with a slash what is relative.
    for path in (given, given.lstrip("/")):
        whole = Path(os.path.normpath(top / path))
        if whole != top and whole.is_relative_to(top) and (path == given or whole.exists()):
            return whole.relative_to(top)
    raise UserError(
        f"{row.place}: {given} is not below {base}: paths are relative to data.root, or without it to the csv"
    )


def _seconds(row: Row, column: str) -> float | None:
    """A time in seconds, None if there is none."""
    text = row.values.get(column)
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise UserError(f"{row.place}: {column}={text} is not a number of seconds of at least 0")
    return seconds
