"""Files that appear whole or not at all, and folders that one job holds at a time."""

import errno
import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from fbm.errors import InUseError, UserError


def unwritable(error: OSError) -> str | None:
    """One line for a disk or folder that does not let itself be written; None for any other error."""
    if error.errno not in (errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EPERM, errno.EDQUOT):
        return None
    return f"{error.filename or 'a file'} cannot be written: {error.strerror}; what was whole before still is"


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary file beside `path` for writing; it takes that name only when the block ends well.

    Raises:
        OSError: it cannot be written (a full disk, say). Nothing is left behind and an older `path` stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            yield file
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a small text file, whole or not at all, and have it on the disk before going on."""
    with whole_file(path) as file:
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())


def checksum(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def held(folder: Path, what: str) -> Iterator[None]:
    """Hold `folder` for this process; the kernel lets go of it however the process ends.

    Raises:
        InUseError: another process holds it.
        UserError: it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("w")
    except OSError as error:
        raise UserError(f"{what} {folder} cannot be written: {error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise InUseError(
                f"{what} {folder} is in use by another fbm: wait for it, or choose another folder"
            ) from error
        yield


def in_use(folder: Path) -> bool:
    """Whether another process, or another place in this one, holds `folder`."""
    try:
        with (folder / ".lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
