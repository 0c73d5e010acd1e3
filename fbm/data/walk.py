"""Every file below the folders that a person names, and what it is called in a store and in a folder of masks."""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fbm.utils.errors import UserError

UNSAFE = re.compile(r"[^\w.,=+@-]+")
LONGEST = 120  # bytes of a part of a name; a file system takes 255, and endings are put behind it


@dataclass(frozen=True)
class File:
    """A file of any kind.

    Attributes:
        parts: of its name in a store, without its ending: the folder's own name, then the way to the file.
        from_folder: it was found in a folder; False where a person has named it.
    """

    path: Path
    parts: tuple[str, ...]
    from_folder: bool = True

    def name(self, ending: bool = False) -> str:
        """Its name in a store, fit for every file system; not yet one of its own."""
        *folders, last = self.parts
        return "/".join(_safe(part) for part in (*folders, last + self.path.suffix if ending else last))


def _safe(part: str) -> str:
    plain = UNSAFE.sub("_", part).lstrip(".") or "_"
    if len(plain.encode()) <= LONGEST:
        return plain
    end = hashlib.sha256(os.fsencode(part)).hexdigest()[:8]
    return f"{plain.encode()[:LONGEST].decode(errors='ignore')}-{end}"


def unique_names(names: Iterable[str], taken: set[str]) -> list[str]:
    """Each name as one of its own: where another file or a folder on the way to one has it, a number is put behind it.

    File systems may take capitals for small letters.

    Args:
        taken: names in small letters that cannot be had any more; those that are given now are added.
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
    """What videos are called in a store, and their masks in a folder of masks, whatever becomes of each of them.

    No name is a folder of another one: a folder of masks holds nothing else.

    Args:
        files: the videos in the order they were found.
        taken: see `unique_names`.
    """
    names = [file.name() for file in files]
    taken |= {str(folder).casefold() for name in names for folder in PurePosixPath(name).parents}
    return unique_names(names, taken)


def iter_files(folders: Sequence[Path]) -> list[File]:
    """The files of all folders in their order, those of each sorted; hidden ones are left out.

    A folder that is met again, through a link, is passed over.

    Raises:
        UserError: a folder is not there, is no folder, holds no file, or is named twice or inside another.
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
    """What a folder itself is called, also where it is named as `.` or by a link."""
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
    """The files of one folder and of those below it; see `walk`."""
    own = folder_name(folder)
    for inside, _, files in walk(folder, seen):
        way = inside.relative_to(folder).parts
        for name in files:
            path = inside / name
            # A link that leads nowhere is told of; pipes and devices would be waited for.
            if path.is_file() or not path.exists():
                yield File(path, (own, *way, Path(name).stem))


def walk(folder: Path, seen: set[str]) -> Iterator[tuple[Path, list[str], list[str]]]:
    """This folder and those below it, through links too, each once: its path, its folders' names, its files' names.

    Names are sorted, hidden ones left out. Taking a folder's name off the list leaves it out.

    Args:
        seen: real paths of folders that are passed over; those that are met are added.

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
