"""One array file of a store: read exactly, never mapped, as a file that is cut under a mapping kills who reads it."""

import hashlib
import io
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

HEADER = 128  # bytes that numpy writes before the values
PREPARE, REPLACE = "run `fbm prepare` again", "delete it and run `fbm prepare` again"
PIECE = 1 << 20  # bytes hashed at a time: small enough to stay in the processor's cache


class WrongFileError(Exception):
    """A file is not the one that was stored: how it differs, without its name, and how to mend that."""

    def __init__(self, reason: str, mend: str) -> None:
        super().__init__(reason)
        self.mend = mend


@dataclass(frozen=True)
class ArrayFile:
    """A `.npy` file of uint8 values, as a manifest describes it.

    Attributes:
        shape: of all its values.
        checksum: SHA-256 of the values.
    """

    path: Path
    shape: tuple[int, ...]
    checksum: str

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return HEADER + math.prod(self.shape)

    def check_size(self) -> None:
        """Look at the file from the outside (a microsecond or two).

        Raises:
            WrongFileError: it is not there, not readable, or not of its size.
        """
        try:
            self._compare_size(os.stat(self.path).st_size)  # noqa: PTH116 (pathlib takes three times as long)
        except OSError as error:
            raise unreadable(error) from error

    def check(self) -> None:
        """Read the whole file and compare it with what was stored.

        Raises:
            WrongFileError: there is any difference.
        """
        try:
            with self.path.open("rb", buffering=0) as file:
                self.check_opened(file)
        except OSError as error:
            raise unreadable(error) from error

    def check_opened(self, file: BinaryIO) -> None:
        """The same for the file that was opened already; OSError comes as it is."""
        self._compare_size(os.fstat(file.fileno()).st_size)
        file.seek(0)
        if not _describes(file.read(HEADER), self.shape):
            raise WrongFileError("is not what was stored (header)", REPLACE)
        digest, piece = hashlib.sha256(), memoryview(bytearray(PIECE))
        while count := file.readinto(piece):  # type: ignore[attr-defined]  # typeshed: of raw files alone
            digest.update(piece[:count])
        if digest.hexdigest() != self.checksum:
            raise WrongFileError("is not what was stored (checksum)", REPLACE)

    def values(self, file: BinaryIO, start: int, stop: int) -> np.ndarray:
        """uint8 `[start:stop]` of the opened file, whose content was looked at before.

        Raises:
            WrongFileError: the file ends too soon.
        """
        found = np.empty((len(range(start, min(stop, self.shape[0]))), *self.shape[1:]), np.uint8)
        left, place = found.reshape(-1).data, HEADER + start * math.prod(self.shape[1:])
        while left.nbytes:
            count = os.preadv(file.fileno(), [left], place)
            if not count:
                raise WrongFileError("ended while it was read", PREPARE)
            left, place = left[count:], place + count
        return found

    def _compare_size(self, found: int) -> None:
        if found != self.size:
            raise WrongFileError(f"has {found:,} bytes in place of {self.size:,}", PREPARE)


def unreadable(error: OSError) -> WrongFileError:
    """What to say of a file that the system does not give."""
    if isinstance(error, FileNotFoundError):
        return WrongFileError("is missing", PREPARE)
    return WrongFileError(f"cannot be read ({error.strerror})", "mend the disk or its permissions")


def _describes(header: bytes, shape: tuple[int, ...]) -> bool:
    """Whether a file's first bytes say that uint8 values of this shape follow."""
    stream = io.BytesIO(header)
    try:
        version = np.lib.format.read_magic(stream)
        found = np.lib.format.read_array_header_1_0(stream)
    except Exception:  # what is no header can make its reader raise anything
        return False
    return version == (1, 0) and found == (shape, False, np.dtype(np.uint8)) and stream.tell() == HEADER
