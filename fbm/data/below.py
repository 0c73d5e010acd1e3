"""Every file below the folders that a person names, and what it is called in a store."""

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fbm.errors import UserError

UNSAFE = re.compile(r"[^\w.,=+@-]+")
LONGEST = 120  # bytes of a part of a name; a file system takes 255, and endings are put behind it


@dataclass(frozen=True)
class File:
    """A file of any kind.

    Attributes:
        parts: of its name in a store, without its ending: the folder's own name, then the way to the file.
    """

    path: Path
    parts: tuple[str, ...]

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


def files_below(folders: Sequence[Path]) -> list[File]:
    """The files of all folders in their order, those of each sorted; hidden ones are left out.

    A folder that is met again, through a link, is passed over.

    Raises:
        UserError: a folder is not there, is no folder, holds no file, or is named twice or inside another.
    """
    _check_apart(folders)
    seen: set[str] = set()
    found = []
    for folder in folders:
        files = [File(path, _parts(folder, path)) for path in _walk(folder, seen)]
        if not files:
            raise UserError(f"data.folders: {folder} holds no file that is not hidden or met before")
        found += files
    return found


def own_name(folder: Path) -> str:
    """What a folder itself is called, also where it is named as `.` or by a link."""
    return folder.name or folder.resolve().name


def _parts(folder: Path, path: Path) -> tuple[str, ...]:
    return own_name(folder), *path.relative_to(folder).with_suffix("").parts


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


def _walk(folder: Path, seen: set[str]) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise UserError(f"data.folders: {error.filename} cannot be read: {error.strerror}") from error

    for inside, folders, files in os.walk(folder, followlinks=True, onerror=refuse):
        real = os.path.realpath(inside)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(inside, name)
            # A link that leads nowhere is told of; pipes and devices would be waited for.
            if not name.startswith(".") and (path.is_file() or not path.exists()):
                yield path
