"""Read from a store's files, each of which is verified before its first use."""

import mmap
import os
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from fbm.data.store.array import StoredFile, unreadable

RACE_WINDOW_NS = 1_000_000_000  # two changes within one tick of the file system's clock look like one
# Maps kept by a reader, of which a store has two; Linux allows a process 65,530, including those of shared libraries.
MAX_OPEN = 25_000

Made = TypeVar("Made")


class VerifiedReader:
    """Reads files and caches which ones are verified, by inode, size and times, so that changes are detected.

    Array files are mapped, so that a read is a plain copy. Accessing a mapped file beyond its end kills the process,
    so its status is compared before and after each read: only truncation within these microseconds can do that.
    Maps need no descriptors, so a store may have more files than a process may open.

    The cache is memory shared with forked processes (a loader's workers): each file is verified once by any of them.
    A pickled reader starts with an empty cache.

    Args:
        files: indexed by their number here.
        most: files that are kept open; then the one that was not read for longest is closed.
    """

    def __init__(self, files: Sequence[StoredFile], most: int = MAX_OPEN) -> None:
        self.files, self.most = files, most
        self._paths = [os.fspath(file.path) for file in files]  # `Path.stat` takes twice as long
        self._verified = np.frombuffer(
            mmap.mmap(-1, 8 * max(1, len(files))), np.int64
        )  # zeros, shared with forked processes
        self._open: dict[int, tuple[int, Any]] = {}  # with the signature of the file

    def __reduce__(self) -> Any:
        return VerifiedReader, (self.files, self.most)

    def read(self, number: int, use: Callable[[Any], Made]) -> Made:
        """The result of `use` on what the file with this number opens as; of an array it must copy what it keeps.

        Raises:
            IntegrityError: the file is not the one that was stored.
        """
        try:
            while True:
                before, opened = self._verified_and_open(number)
                made = use(opened)
                if _stat_signature(os.stat(self._paths[number])) == before:  # noqa: PTH116
                    return made
        except OSError as error:
            self.files[number].check()  # which knows the remedy for its kind of file
            raise unreadable(error) from error

    def close(self) -> None:
        """Close all files; a later read opens them again."""
        self._open.clear()

    def _verified_and_open(self, number: int) -> tuple[int, Any]:
        """The signature of the verified file, and what it opens as."""
        stat = os.stat(self._paths[number])  # noqa: PTH116
        mark = _stat_signature(stat)
        known, opened = self._open.pop(number, (0, None))
        if opened is None or not known == mark == self._verified[number]:
            if self._verified[number] != mark:
                self.files[number].check()
            opened = None  # closes a file that has changed
            if len(self._open) >= self.most:
                del self._open[next(iter(self._open))]
            opened = self.files[number].opened()
            if abs(time.time_ns() - stat.st_ctime_ns) > RACE_WINDOW_NS:
                self._verified[number] = mark
        self._open[number] = mark, opened  # as the newest
        return mark, opened


def _stat_signature(stat: os.stat_result) -> int:
    """64 bits that differ for another file and after a change; never 0."""
    return hash((stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)) or 1
