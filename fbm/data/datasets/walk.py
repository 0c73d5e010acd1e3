"""Walk folders for files, and name them in stores and folders of masks."""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from fbm.data.dataset import Rejection
from fbm.utils.errors import UserError

UNSAFE = re.compile(r"[^\w.,=+@-]+")
LONGEST = 120  # bytes of a part of a name; a file system takes 255, and endings are put behind it


@dataclass(frozen=True)
class File:
    """A file of any kind.

    Attributes:
        parts: of its name in a store, without extension: the folder's name, then the path below it.
        from_folder: it was found in a folder; False if it was given by name.
    """

    path: Path
    parts: tuple[str, ...]
    from_folder: bool = True

    def name(self, ending: bool = False) -> str:
        """Its name in a store, valid on every file system, but not yet unique."""
        *folders, last = self.parts
        return "/".join(_safe(part) for part in (*folders, last + self.path.suffix if ending else last))


def _safe(part: str) -> str:
    plain = UNSAFE.sub("_", part).lstrip(".") or "_"
    if len(plain.encode()) <= LONGEST:
        return plain
    end = hashlib.sha256(os.fsencode(part)).hexdigest()[:8]
    return f"{plain.encode()[:LONGEST].decode(errors='ignore')}-{end}"


def unique_names(names: Iterable[str], taken: set[str]) -> list[str]:
    """Make names unique, also ignoring case: a number is appended to a name that another file or folder has.

    Args:
        taken: names in lower case that are in use; the new ones are added.
    """
    given = []
    for name in names:
        number, own = 1, name
        while own.casefold() in taken:
            number += 1
            own = f"{name}-{number}"
        taken.add(own.casefold())
        given.append(own)
    return given


def video_names(files: Sequence[File], taken: set[str]) -> list[str]:
    """The names of videos in a store, and of their masks in a folder of masks, even if a video is not used.

    No name is a folder of another one: a folder of masks contains nothing else.

    Args:
        files: the videos, in the order in which they were found.
        taken: see `unique_names`.
    """
    names = [file.name() for file in files]
    folders = [PurePosixPath(folder) for folder in {name.rpartition("/")[0] for name in names}]  # each parsed once
    taken |= {str(place).casefold() for folder in folders for place in (folder, *folder.parents)}
    return unique_names(names, taken)


class Found(Protocol):
    """A file of a data set."""

    @property
    def file(self) -> File: ...
    @property
    def fault(self) -> Rejection | None: ...


def is_video(one: Found) -> bool:
    """Whether it is a video, even if it is broken, missing or left out."""
    return one.fault is None or one.fault.status != "not_a_video"


def names_of(found: Sequence[Found], taken: set[str]) -> list[tuple[str, str]]:
    """The name of each file in a store, and of one with a fault the name that it would have without it, else "".

    Args:
        taken: see `unique_names`.
    """
    videos = [number for number, one in enumerate(found) if is_video(one)]
    in_use = dict(zip(videos, video_names([found[number].file for number in videos], taken), strict=True))
    named = []
    for number, one in enumerate(found):
        would = in_use.get(number, "")
        named.append((unique_names([one.file.name(ending=True)], taken)[0], would) if one.fault else (would, ""))
    return named


def iter_files(folders: Sequence[Path]) -> list[File]:
    """The files of all folders in order, sorted within each; hidden ones and folders visited before are skipped.

    Raises:
        UserError: a folder does not exist, is not a folder, is empty, or is given twice or inside another.
    """
    _check_apart(folders)
    seen: set[str] = set()
    found = []
    for folder in folders:
        files = list(files_below(folder, seen))
        if not files:
            raise UserError(f"data.folders: {folder} holds no file that is not hidden or met before")
        found += files
    return found


def folder_name(folder: Path) -> str:
    """The name of a folder, even if it is given as `.`."""
    return folder.name or folder.resolve().name


def _check_apart(folders: Sequence[Path]) -> None:
    for folder in folders:
        if not folder.is_dir():
            kind = "is a file; name the folder that it is in" if folder.exists() else "there is no such folder"
            raise UserError(f"data.folders: {folder}: {kind}")
    for number, folder in enumerate(folders):
        for other in (*folders[:number], *folders[number + 1 :]):
            if folder.resolve().is_relative_to(other.resolve()):
                same = folder.resolve() == other.resolve()
                raise UserError(
                    f"data.folders: {folder} is {f'the same folder as {other}' if same else f'inside {other}'}: "
                    "name one of them"
                )


def files_below(folder: Path, seen: set[str]) -> Iterator[File]:
    """The files below a folder; see `walk`."""
    own = folder_name(folder)
    for inside, _, files in walk(folder, seen):
        way = inside.relative_to(folder).parts
        for name in files:
            path = inside / name
            # Broken links are reported; pipes and devices are skipped, since reading them would block.
            if path.is_file() or not path.exists():
                yield File(path, (own, *way, Path(name).stem))


def walk(folder: Path, seen: set[str]) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Like `os.walk`, following links, but each folder once; names are sorted, and hidden ones skipped.

    Removing a folder's name from its list skips it.

    Args:
        seen: real paths of folders to skip; visited folders are added.

    Raises:
        UserError: a folder cannot be read.
    """

    def refuse(error: OSError) -> None:
        raise UserError(f"{error.filename} cannot be read: {error.strerror}") from error

    for inside, folders, files in os.walk(folder, followlinks=True, onerror=refuse):
        real = os.path.realpath(inside)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield Path(inside), folders, sorted(name for name in files if not name.startswith("."))
