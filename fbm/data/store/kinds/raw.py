"""`data.frames=raw`: uncompressed, in one array a video. Reading a clip is a copy of memory."""

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import xxhash

from fbm.data.store.array import StoreArray, write_header
from fbm.data.store.kinds.kind import FrameKind, Written
from fbm.data.store.manifest import StoredVideo, frames_file
from fbm.utils.files import atomic_write


@dataclass(frozen=True)
class RawFrames(StoreArray):
    """A video's frames, `T size size 3`."""

    def fill(self, opened: np.ndarray, start: int, frames: np.ndarray, interval: int = 1) -> None:
        np.copyto(frames, opened[start : start + len(frames) * interval : interval])


@dataclass(frozen=True)
class Raw(FrameKind):
    """Frames as they are."""

    @property
    def name(self) -> str:
        return "raw"

    def file(self, store: Path, size: int, video: StoredVideo) -> RawFrames:
        return RawFrames(frames_file(store, video.name), (video.frames, size, size, 3), video.checksum)

    def write(self, path: Path, scratch: Path | None, batches: Iterable[np.ndarray], size: int) -> Written:
        return write_raw(atomic_write(path), batches, size)

    def bytes_for(self, frames: int, size: int) -> int:
        return frames * size * size * 3


def write_raw(place: AbstractContextManager[IO[bytes]] | None, batches: Iterable[np.ndarray], size: int) -> Written:
    """Write frames as a `.npy` file, `T size size 3`; None only counts them and computes their checksum.

    Args:
        place: opens the file.
    """
    digest, count = xxhash.xxh3_128(), 0
    with place or nullcontext() as file:
        if file:
            write_header(file, (0, size, size, 3))
        for batch in batches:
            if file:
                file.write(batch.data)
            digest.update(batch.data)
            count += len(batch)
        if file:
            file.seek(0)  # the container's count is only a hint
            write_header(file, (count, size, size, 3))
    return Written(count, digest.hexdigest())


RAW = Raw()
