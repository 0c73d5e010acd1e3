"""From what a person names (files, folders, lists) to videos, each once."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fbm.errors import UserError

VIDEOS = frozenset([".avi", ".mp4", ".mkv", ".mov", ".webm", ".mpg", ".mpeg", ".m4v", ".wmv", ".flv"])


@dataclass(frozen=True)
class Video:
    """A file to be read; `size` in bytes and `mtime_ns` are 0 where it is not there.

    Attributes:
        path: as the inputs name it.
        real: absolute, without links: the same for every way to name the file.
    """

    path: Path
    real: str
    size: int
    mtime_ns: int

    @property
    def name(self) -> str:
        """The path as text that any file format can hold."""
        return os.fsencode(self.path).decode("utf-8", "backslashreplace")


def find_videos(inputs: Sequence[Path]) -> list[Video]:
    """Every video of the inputs in their order, those of a folder sorted; a file that is named twice counts once.

    A file that a list names and that is not there is among them: it is unreadable, as a damaged one is.

    Raises:
        UserError: an input is not there, or holds no video.
    """
    found: dict[str, Video] = {}
    for place in inputs:
        files = list(_files(place))
        if not files:
            raise UserError(
                f"no videos in {place} (of {', '.join(sorted(VIDEOS))})" if place.is_dir() else _empty(place)
            )
        for file in files:
            found.setdefault(os.path.realpath(file), _video(file))
    return list(found.values())


def _empty(place: Path) -> str:
    return f"the list {place} names no videos: it should hold one path a line"


def _files(place: Path) -> Iterator[Path]:
    if not place.exists():
        raise UserError(f"no such file or folder: {place}")
    if place.is_dir():
        yield from videos_below(place)
    elif place.suffix.lower() == ".txt":
        yield from _listed(place)
    else:
        yield place  # named by a person: whatever its ending, it is tried


def videos_below(folder: Path) -> Iterator[Path]:
    """Files with a video's ending, hidden ones (other systems' notes on a file) left out."""
    for inside, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and Path(name).suffix.lower() in VIDEOS:
                yield Path(inside) / name


def _listed(file: Path) -> Iterator[Path]:
    try:
        lines = file.read_bytes().splitlines()
    except OSError as error:
        raise UserError(f"the list {file} cannot be read: {error.strerror}") from error
    if any(b"\0" in line for line in lines):
        raise UserError(f"the list {file} is not text: it should hold one path a line")
    yield from (file.parent / os.fsdecode(line.strip()) for line in lines if line.strip())


def _video(path: Path) -> Video:
    try:
        stat = path.stat()
    except OSError:
        return Video(path, os.path.realpath(path), 0, 0)
    return Video(path, os.path.realpath(path), stat.st_size, stat.st_mtime_ns)
