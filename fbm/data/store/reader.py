"""Read values from a store's files, each of which is verified by its checksum before its first use."""

import mmap
import os
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from fbm.data.store.array import StoreArray, unreadable

RACE_WINDOW_NS = 1_000_000_000  # two changes within one tick of the file system's clock look like one
MAX_MAPS = 30_000  # kept by a process; Linux allows 65,530, including those of shared libraries

Made = TypeVar("Made")


class VerifiedReader:
    """Reads array files and caches which ones are verified, by inode, size and times, so that changes are detected.

    Files are mapped, so that a read is a plain copy. Accessing a mapped file beyond its end kills the process, so its
    status is compared before and after each read: only truncation within these microseconds can have that effect.
    Maps need no descriptors, so a store may have more files than a process may open.

    The cache is memory shared with forked processes (a loader's workers): each file is verified once by any of them.
    A pickled reader starts with an empty cache.

    Args:
        files: indexed by their number here.
    """

    def __init__(self, files: Sequence[StoreArray]) -> None:
        self.files = files
        self._paths = [os.fspath(file.path) for file in files]  # `Path.stat` takes twice as long
        self._verified = np.frombuffer(
            mmap.mmap(-1, 8 * max(1, len(files))), np.int64
        )  # zeros, shared with forked processes
        self._maps: dict[int, tuple[int, np.ndarray]] = {}  # with the signature of the mapped file

    def __reduce__(self) -> Any:
        return VerifiedReader, (self.files,)

    def read(self, number: int, use: Callable[[np.ndarray], Made]) -> Made:
        """The result of `use` on the values of the file with this number; it must copy the values it keeps.

        Raises:
            IntegrityError: the file is not the one that was stored.
        """
        try:
            while True:
                before, values = self._open(number)
                made = use(values)
                if _stat_signature(os.stat(self._paths[number])) == before:  # noqa: PTH116
                    return made
        except OSError as error:
            raise unreadable(error) from error

    def _open(self, number: int) -> tuple[int, np.ndarray]:
        """The signature of the verified file, and its values as a map."""
        stat = os.stat(self._paths[number])  # noqa: PTH116
        mark = _stat_signature(stat)
        known, values = self._maps.get(number, (0, None))
        if values is not None and known == mark == self._verified[number]:
            return mark, values
        if self._verified[number] != mark:
            self.files[number].check()
        values = self.files[number].mapped()
        if abs(time.time_ns() - stat.st_ctime_ns) > RACE_WINDOW_NS:
            self._verified[number] = mark
        self._maps.pop(number, None)
        if len(self._maps) >= MAX_MAPS:
            del self._maps[next(iter(self._maps))]  # the oldest
        self._maps[number] = mark, values
        return mark, values


def _stat_signature(stat: os.stat_result) -> int:
    """64 bits that differ for another file and after a change; never 0."""
    return hash((stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)) or 1
