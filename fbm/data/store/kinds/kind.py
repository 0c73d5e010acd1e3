"""What a kind of frames consists of: how a video's frames are written, and how some of them are read."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np

from fbm.data.store.array import StoredFile
from fbm.data.store.manifest import StoredVideo
from fbm.data.store.reader import MAX_OPEN


@dataclass(frozen=True)
class Written:
    """What was written of a video: its number of frames, the checksum for its row, and bytes if they are compressed."""

    frames: int
    checksum: str
    frames_bytes: int = 0


class FramesFile(StoredFile, Protocol):
    """The file that a video's frames are read from, as its row describes it."""

    def fill(self, opened: Any, start: int, frames: np.ndarray, interval: int = 1) -> None:
        """Write every `interval`-th frame from number `start` on into `frames`, uint8 `N size size 3`.

        Raises:
            IntegrityError: a frame cannot be read.
        """


class FrameKind(ABC):
    """A way to keep frames.

    Attributes:
        name: of `data.frames`.
        quality: of compressed frames.
        stored: whether frames are in the store; otherwise rows have the path of the video.
        most_open: files that a process keeps open.
    """

    stored: ClassVar[bool] = True
    most_open: ClassVar[int] = MAX_OPEN

    quality: int | None = None

    @property
    @abstractmethod
    def name(self) -> str: ...

    @property
    def label(self) -> str:
        """All that decides how a video's frames are kept, as its row has it."""
        return self.name if self.quality is None else f"{self.name} {self.quality}"

    @abstractmethod
    def file(self, store: Path, size: int, video: StoredVideo) -> FramesFile:
        """The file of a video in a store with frames of this size."""

    @abstractmethod
    def write(self, path: Path, scratch: Path | None, batches: Iterable[np.ndarray], size: int) -> Written:
        """Write all frames of a video.

        Args:
            path: of its array file in the store.
            scratch: a temporary file to keep the frames in, uncompressed as `.npy`, if the kind stores none and they
                are needed for masks; the caller removes it.
            batches: uint8 `n size size 3` each.

        Raises:
            OSError: the store cannot be written.
            VideoError: from `batches`; nothing is left in the store.
        """

    @abstractmethod
    def bytes_for(self, frames: int, size: int) -> int:
        """The bytes that so many frames take in the store, as far as that is known before."""
