"""Atomic writes, locks of folders, and what is said of a damaged file."""

import errno
import fcntl
import hashlib
import os
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import IO, TypeVar

from fbm.utils.errors import InUseError, UserError

Content = TypeVar("Content")
LOCK = ".lock"  # file in a locked folder
TMP_SUFFIX = ".part"  # suffix of a file that is being written
UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM}
UNWRITABLE |= {errno.ENOTDIR, errno.EEXIST}  # a file where a folder should be


def describe_write_error(error: OSError) -> str | None:
    """One line for a disk or folder that cannot be written; None for other errors."""
    if error.errno not in UNWRITABLE:
        return None
    return f"{error.filename or 'a file'} cannot be written: {error.strerror}; finished files are intact"


@contextmanager
def atomic_write(path: Path, fsync: bool = False) -> Iterator[IO[bytes]]:
    """Open a temporary file beside `path` for writing, and rename it when the block succeeds.

    A link stays one: the file that it leads to is replaced. A pipe or a device is written to.

    Args:
        fsync: write it to the disk first, so that a power failure leaves either file intact.

    Raises:
        OSError: it cannot be written, with the name `path`. The temporary file is removed, an older `path` is kept.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        with path.open("wb") as file:
            yield file
        return
    path = path.resolve() if path.is_symlink() else path
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TMP_SUFFIX}")
    try:
        with temporary.open("wb") as file:
            yield file
            if fsync:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        if error.filename in (None, str(temporary)):  # an error of write() has no file name
            error.filename, error.filename2 = str(path), None
        raise
    finally:
        with suppress(OSError):  # it may not exist
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a small text file atomically, and flush it to the disk."""
    with atomic_write(path, fsync=True) as file:
        file.write(text.encode())


def remove_partial(folder: Path, of: Collection[Path] | None = None) -> None:
    """Remove the temporary files of killed processes in a locked folder.

    Args:
        of: the files that they were to become, without their endings, if other processes write into the folder, too;
            None is all.
    """
    for leftover in folder.rglob(f".*{TMP_SUFFIX}"):
        name = leftover.name.removeprefix(".").removesuffix(TMP_SUFFIX).rpartition(".")[0]  # without the process id
        if of is None or leftover.with_name(name).with_suffix("") in of:
            leftover.unlink(missing_ok=True)


def checksum(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def exclusive_lock(folder: Path, what: str, wait: bool = False) -> AbstractContextManager[None]:
    """Lock `folder` for this process; the kernel releases the lock when the process ends.

    Where the file system is shared by machines, the lock is, too: NFS, and Lustre that is mounted with `flock`.

    Args:
        wait: until it is free.

    Raises:
        InUseError: another process has locked it, exclusively or shared.
        UserError: it cannot be written, or its file system has no locks.
    """
    return _locked(folder, what, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))


def shared_lock(folder: Path, what: str) -> AbstractContextManager[None]:
    """Like `exclusive_lock`, but several processes may have it, if none has an exclusive one."""
    return _locked(folder, what, fcntl.LOCK_SH | fcntl.LOCK_NB)


@contextmanager
def _locked(folder: Path, what: str, operation: int) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK).open("a+")  # NFS needs reading for a shared lock, and writing for an exclusive one
    except OSError as error:
        raise UserError(f"{what} {folder} cannot be written: {error.strerror}") from error
    with lock, _kept_from_forks(lock):
        try:
            fcntl.flock(lock, operation)
        except (BlockingIOError, PermissionError) as error:  # the second on some versions of NFS
            raise InUseError(
                f"{what} {folder} is in use by another fbm: wait for it, or choose another folder"
            ) from error
        except OSError as error:
            raise UserError(
                f"{what} {folder} cannot be locked: {error.strerror}; choose a folder on a file system with locks, or "
                "mount this one with them"
            ) from error
        if not _is_at(lock, folder / LOCK):  # its last owner has removed the folder
            raise InUseError(f"{what} {folder} was just left by another fbm: try again")
        yield


def _is_at(file: IO[str], path: Path) -> bool:
    """Whether an open file still has this name."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    return False


_LOCKS: set[IO[str]] = set()  # of the folders that this process has locked


@contextmanager
def _kept_from_forks(lock: IO[str]) -> Iterator[None]:
    """Close the lock in forked children (a loader's workers), which would keep it for a killed parent."""
    _LOCKS.add(lock)
    try:
        yield
    finally:
        _LOCKS.discard(lock)


def _close_locks() -> None:
    for lock in _LOCKS:
        lock.close()
    _LOCKS.clear()


os.register_at_fork(after_in_child=_close_locks)


def is_locked(folder: Path) -> bool:
    """Whether `folder` is locked, exclusively or shared, by another process or by this one."""
    try:
        with (folder / LOCK).open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except PermissionError:
        return _is_locked_for_readers(folder)
    except OSError:
        return True
    return False


def _is_locked_for_readers(folder: Path) -> bool:
    """`is_locked` where this user may not write, as far as it can be known: whether it is locked exclusively."""
    try:
        with (folder / LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    return False


def shown(path: Path) -> str:
    """`path` relative to the working directory where it lies inside, as it is elsewhere."""
    here = Path.cwd()
    return (path.relative_to(here) if path.is_relative_to(here) else path).as_posix()


def read_validated(file: Path, parse: Callable[[bytes], Content], remedy: str) -> Content:
    """What `parse` makes of a file. UserError, ending with `remedy`, where that or reading it fails."""
    try:
        return parse(file.read_bytes())
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise damaged(file, reason or str(error), remedy) from error


def damaged(file: Path, reason: str, remedy: str) -> UserError:
    """The error to raise."""
    return UserError(f"{shown(file)}: damaged {file.stem} ({reason}). {remedy}")
