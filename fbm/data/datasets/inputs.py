"""The videos that a command line names, by files, folders and lists, each once."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fbm.data.datasets.file_lists import is_header, read_lines, resolve_path
from fbm.data.datasets.probing import first_fault, probed
from fbm.data.datasets.walk import File, files_below, video_names
from fbm.utils.errors import UserError

LISTS = frozenset([".txt", ".csv", ".tsv", ".lst"])
NAMED = 20  # skipped files that are named one by one


@dataclass(frozen=True)
class Video:
    """A file to be read; `size` in bytes and `mtime_ns` are 0 if it does not exist.

    Attributes:
        path: as given.
        real: absolute, links resolved: the same however the file is given.
        name_in_store: its name in a store that `fbm prepare` makes from the inputs.
    """

    path: Path
    real: str
    size: int
    mtime_ns: int
    name_in_store: str = ""

    @property
    def name(self) -> str:
        """The path as text that any file format can hold."""
        return printable(self.path)


@dataclass(frozen=True)
class Skipped:
    """A file of a folder that is not a video, and what it is."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Inputs:
    """What the inputs hold.

    Attributes:
        videos: in the order of the inputs, including broken ones.
        skipped: files that are not videos, by content.
    """

    videos: list[Video]
    skipped: list[Skipped]

    @property
    def skip_lines(self) -> list[str]:
        """A line for each skipped file, or for the first ones and their number."""
        lines = [f"skipped: {printable(one.path)}: {one.reason}" for one in self.skipped[:NAMED]]
        more = len(self.skipped) - NAMED
        return [*lines, f"skipped: {more} more files that are no videos"] if more > 0 else lines


def printable(path: Path) -> str:
    """A path as text, even if its bytes are not UTF-8."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def find_videos(inputs: Sequence[Path]) -> Inputs:
    """Every video of the inputs, by content; a file that is named twice counts once.

    Raises:
        UserError: an input does not exist, or has no video.
    """
    found = classify_files(find_files(inputs, set()))
    check_any_video(inputs, found)
    once = {video.real: video for video in reversed(found.videos)}
    return Inputs([video for video in found.videos if once[video.real] is video], found.skipped)


def find_files(inputs: Sequence[Path], seen: set[str]) -> list[File]:
    """Every file of the inputs in their order, those of a folder sorted; see `fbm.data.datasets.walk.walk`.

    Files that a list names are included even if they do not exist: they are reported like damaged ones.

    Args:
        seen: real paths of folders to skip; visited folders are added.

    Raises:
        UserError: an input does not exist, or is empty.
    """
    return [file for place in inputs for file in _files(place, seen)]


def classify_files(files: Sequence[File]) -> Inputs:
    """Separate videos from other files; files that are given by name count as videos."""
    from_folder = [file for file in files if file.from_folder]
    found = zip(from_folder, probed([file.path for file in from_folder]), strict=True)
    others = {file: fault.reason for file, (_, fault) in found if fault and fault.status == "not_a_video"}
    videos = [file for file in files if file not in others]
    named = zip(videos, video_names(videos, set()), strict=True)
    return Inputs([video_at(file.path, name) for file, name in named], [Skipped(f.path, r) for f, r in others.items()])


def check_any_video(inputs: Sequence[Path], found: Inputs) -> None:
    """Check that not all files of a folder are skipped.

    Raises:
        UserError: they are.
    """
    for place in filter(Path.is_dir, inputs):
        skipped = [one for one in found.skipped if one.path.is_relative_to(place)]
        if skipped and not any(video.path.is_relative_to(place) for video in found.videos):
            faults = [(printable(one.path), one.reason) for one in skipped]
            raise UserError(f"no videos in {place}: {first_fault(faults)}")


def _files(place: Path, seen: set[str]) -> Iterator[File]:
    if not place.exists():
        raise UserError(f"no such file or folder: {place}")
    if place.is_dir():
        known = os.path.realpath(place) in seen
        files = list(files_below(place, seen))
        if not files and not known:
            raise UserError(f"no videos in {place}: it holds no file that is not hidden or met before")
        yield from files
    elif place.suffix.lower() in LISTS:
        yield from (_named(path) for path in _listed(place))
    else:
        yield _named(place)  # whatever its extension


def _named(path: Path) -> File:
    return File(path, (path.stem,), from_folder=False)


def _listed(file: Path) -> list[Path]:
    lines = [line for line in read_lines(file, "one path") if line]
    paths = [resolve_path(line, file.parent) for line in lines]
    if paths and not paths[0].is_file() and is_header(lines[0]):
        del paths[0]
    if not paths:
        raise UserError(f"the list {file} names no videos: it should hold one path a line, alone or with a label")
    return paths


def video_at(path: Path, name: str) -> Video:
    """A video by its path, without opening it."""
    try:
        stat = path.stat()
    except OSError:
        return Video(path, os.path.realpath(path), 0, 0, name)
    return Video(path, os.path.realpath(path), stat.st_size, stat.st_mtime_ns, name)
