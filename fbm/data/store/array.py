"""One array file of a store, and whether it is the one that was stored."""

import errno
import io
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn, Protocol

import numpy as np
import xxhash

HEADER = 128  # bytes that numpy writes before the values
PREPARE, REPLACE = "run `fbm prepare` again", "delete it and run `fbm prepare` again"
PIECE = 1 << 20  # bytes hashed at a time: small enough to stay in the processor's cache


class IntegrityError(Exception):
    """A file is not the one that was stored: how it differs, without its name, and the remedy."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.remedy = remedy


@dataclass(frozen=True)
class StoreArray:
    """A `.npy` file of uint8 values, as a manifest describes it.

    Attributes:
        shape: of all its values.
        checksum: of the values, XXH3 with 128 bits, in hex; SHA-256 takes ten times as long.
    """

    path: Path
    shape: tuple[int, ...]
    checksum: str

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return HEADER + math.prod(self.shape)

    def check_size(self) -> None:
        """Check the size of the file (a microsecond or two).

        Raises:
            IntegrityError: it is missing, not readable, or has another size.
        """
        try:
            self._compare_size(os.stat(self.path).st_size)  # noqa: PTH116 (pathlib takes three times as long)
        except OSError as error:
            raise unreadable(error) from error

    def check(self) -> None:
        """Read the whole file and verify header and checksum.

        Raises:
            IntegrityError: it is not the one that was stored.
        """
        try:
            with self.path.open("rb", buffering=0) as file:
                self._compare_size(os.fstat(file.fileno()).st_size)
                if not _describes(file.read(HEADER), self.shape):
                    raise IntegrityError("is not what was stored (header)", REPLACE)
                digest, piece = xxhash.xxh3_128(), memoryview(bytearray(PIECE))
                while count := file.readinto(piece):
                    digest.update(piece[:count])
        except OSError as error:
            raise unreadable(error) from error
        if digest.hexdigest() != self.checksum:
            raise IntegrityError("is not what was stored (checksum)", REPLACE)

    def check_all(self) -> None:
        """The same as `check`, which leaves nothing out."""
        self.check()

    def opened(self) -> np.ndarray:
        """The values, uint8 and read-only, as a map of the file, which must be verified already.

        Raises:
            IntegrityError: the file is shorter, or cannot be mapped.
        """
        import torch  # slow to import, and not needed for checks

        # Not numpy's map, which keeps a descriptor open; their number is limited.
        try:
            whole = torch.from_file(os.fspath(self.path), shared=False, size=self.size, dtype=torch.uint8)
        except RuntimeError as error:
            self._reason(error)
        values: np.ndarray = whole.numpy()[HEADER:].reshape(self.shape)
        values.flags.writeable = False
        return values

    def _reason(self, error: RuntimeError) -> NoReturn:
        """Raise the reason why the file cannot be mapped, which torch's error has only in words."""
        self.check_size()
        try:
            self.path.open("rb").close()
        except OSError as reason:
            raise unreadable(reason) from reason
        raise IntegrityError(f"cannot be mapped ({error})", "give it more memory, or a path in UTF-8") from error

    def _compare_size(self, found: int) -> None:
        if found != self.size:
            raise IntegrityError(f"has {found:,} bytes in place of {self.size:,}", PREPARE)


class StoredFile(Protocol):
    """A file to read from, as a manifest describes it: `opened` gives what is read, after `check` has passed."""

    @property
    def path(self) -> Path:
        """In the store, or of the video."""

    def check_size(self) -> None:
        """Check that the file is there and has the right size (microseconds).

        Raises:
            IntegrityError: it is missing, not readable, or has another size.
        """

    def check(self) -> None:
        """Check before the first use that it is the right file.

        Raises:
            IntegrityError: it is not.
        """

    def check_all(self) -> None:
        """Check everything, for `fbm doctor`.

        Raises:
            IntegrityError: the file is not the right one, or a frame of it cannot be read.
        """

    def opened(self) -> Any:
        """What is read; in a forked process it may be that of its parent.

        Raises:
            IntegrityError: the file cannot be opened.
        """


def is_whole(file: StoredFile) -> bool:
    """Whether a file is there and has the right size."""
    try:
        file.check_size()
    except IntegrityError:
        return False
    return True


def write_header(file: IO[bytes], shape: tuple[int, ...]) -> None:
    """Begin a uint8 `.npy` file. numpy keeps room for a longer first axis, so it can be written again in place."""
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})


def checksum_of(values: np.ndarray) -> str:
    """The checksum of uint8 values, as a manifest states it."""
    return xxhash.xxh3_128_hexdigest(np.ascontiguousarray(values).data)


def unreadable(error: OSError) -> IntegrityError:
    """The error for a file that cannot be opened or read."""
    if isinstance(error, FileNotFoundError):
        return IntegrityError("is missing", PREPARE)
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return IntegrityError(f"cannot be read ({error.strerror})", "raise the limit of open files: `ulimit -n 1024`")
    return IntegrityError(f"cannot be read ({error.strerror})", "check the disk and the permissions")


def _describes(header: bytes, shape: tuple[int, ...]) -> bool:
    """Whether a header describes uint8 values of this shape."""
    stream = io.BytesIO(header)
    try:
        version = np.lib.format.read_magic(stream)
        found = np.lib.format.read_array_header_1_0(stream)
    except Exception:  # numpy can raise anything for other bytes
        return False
    return version == (1, 0) and found == (shape, False, np.dtype(np.uint8)) and stream.tell() == HEADER
