"""Values from a store's files, each of which is compared with its checksum before anything in it is believed."""

import mmap
import os
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from fbm.data.store_array import StoreArray, unreadable

RACE_WINDOW_NS = 1_000_000_000  # ns; a file changed twice within its clock's tick looks unchanged
MAX_MAPS = 30_000  # that a process keeps; Linux lets it have 65,530, shared libraries' among them

Made = TypeVar("Made")


class VerifiedReader:
    """Reads array files, and remembers which were found right: by inode, size and both times, so a change is seen.

    Files are mapped, which makes a read one plain copy. A process that touches a mapped file behind its end is killed,
    so the file is looked at before each read and after it: only one that is cut within these microseconds can do that.
    Maps hold no descriptors, so that a store may have more files than a process may open.

    What was found right is in memory shared with processes that are forked from this one (a loader's workers): one of
    them looks, the others believe it. Where it is pickled, looking begins anew.

    Args:
        files: asked for by their numbers here.
    """

    def __init__(self, files: Sequence[StoreArray]) -> None:
        self.files = files
        self._paths = [os.fspath(file.path) for file in files]  # to ask for a Path's times takes twice as long
        self._verified = np.frombuffer(mmap.mmap(-1, 8 * max(1, len(files))), np.int64)  # zeros, shared over forks
        self._maps: dict[int, tuple[int, np.ndarray]] = {}  # each with the mark of the file that it is of

    def __reduce__(self) -> Any:
        return VerifiedReader, (self.files,)

    def read(self, number: int, use: Callable[[np.ndarray], Made]) -> Made:
        """What `use` makes of the values of the file with this number; it must copy what it wants to keep.

        Raises:
            WrongFileError: the file is not the one that was stored, or not any more.
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
        """The mark of the file as it is now, which is right, and its values as a map."""
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
    """64 bits that another file, or this one after a change, does not have; never 0."""
    return hash((stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)) or 1
