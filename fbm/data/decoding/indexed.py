"""Random access with decoders that give frames by number."""

from typing import Protocol

import numpy as np

from fbm.data.decoding.resize import resized
from fbm.data.decoding.video import VideoError


class IndexedFrames(Protocol):
    """The frames of a file by number."""

    def __len__(self) -> int:
        """Their number, as the decoder knows it from the packets."""

    def at(self, number: int) -> np.ndarray:
        """A frame at its own size, upright: uint8 `H W 3` RGB.

        Raises:
            VideoError: the decoder does not give it.
        """


class IndexedReader:
    """A `FrameReader` of a decoder's frames."""

    def __init__(self, frames: IndexedFrames, size: int) -> None:
        self._frames: IndexedFrames | None = frames
        self._size = size

    def read(self, start: int, frames: np.ndarray) -> None:
        """See `FrameReader.read`."""
        assert self._frames is not None, "closed"
        if start + len(frames) > len(self._frames):
            raise past_the_end(len(self._frames), start, len(frames))
        for number, place in enumerate(frames, start):
            place[:] = resized(self._frames.at(number)[None], self._size)[0]

    def close(self) -> None:
        """See `FrameReader.close`."""
        self._frames = None


def past_the_end(there: int, start: int, count: int) -> VideoError:
    """The error for frames that a video does not have."""
    return VideoError("short", f"it has {there} frames, and {start + 1} to {start + count} are asked for")
