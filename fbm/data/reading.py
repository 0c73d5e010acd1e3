"""Values from a store's files, each of which is compared with its checksum before anything in it is believed."""

import mmap
import os
import time
from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np

from fbm.data.array_file import ArrayFile, unreadable

FRESH = 1_000_000_000  # ns; a file changed twice within its clock's tick looks unchanged


class Reader:
    """Reads array files, and remembers which were found right: by inode, size and both times, so a change is seen.

    The memory is shared with processes that are forked from this one (a loader's workers): one of them looks, the
    others believe it. Where it is pickled, looking begins anew.

    Args:
        files: asked for by their numbers here.
    """

    def __init__(self, files: Sequence[ArrayFile]) -> None:
        self.files = files
        self._right = np.frombuffer(mmap.mmap(-1, 8 * max(1, len(files))), np.int64)  # zeros, shared over forks

    def __reduce__(self) -> Any:
        return Reader, (self.files,)

    def read(self, number: int, start: int, stop: int) -> np.ndarray:
        """uint8 `stop-start ...` of the file with this number.

        Raises:
            WrongFileError: the file is not the one that was stored, or not any more.
        """
        file = self.files[number]
        try:
            with file.path.open("rb", buffering=0) as opened:
                while True:
                    before = self._look(number, opened)
                    values = file.values(opened, start, stop)
                    if _mark(os.fstat(opened.fileno())) == before:
                        return values
        except OSError as error:
            raise unreadable(error) from error

    def _look(self, number: int, opened: BinaryIO) -> int:
        """The mark of the file as it is now, which is right."""
        stat = os.fstat(opened.fileno())
        mark = _mark(stat)
        if self._right[number] != mark:
            self.files[number].check_opened(opened)
            if abs(time.time_ns() - stat.st_ctime_ns) > FRESH:
                self._right[number] = mark
        return mark


def _mark(stat: os.stat_result) -> int:
    """64 bits that another file, or this one after a change, does not have; never 0."""
    return hash((stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)) or 1
