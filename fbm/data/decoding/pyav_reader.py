"""Random access with PyAV: from the keyframe before, exactly the frames of decoding from the beginning."""

from collections.abc import Generator, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fbm.data.decoding.indexed import past_the_end
from fbm.data.decoding.packets import packet_index
from fbm.data.decoding.pyav import opened
from fbm.data.decoding.resize import rgb_frames
from fbm.data.decoding.video import VideoError

if TYPE_CHECKING:
    from av import VideoFrame


class _LostError(Exception):
    """What is decoded from a keyframe on is not what the index says."""


class PyAVReader:
    """A `FrameReader`. Reads forward without a jump where no keyframe is nearer, otherwise opens the file again.

    A file without an index (`packet_index`), or of which decoding contradicts it, is only read from its beginning.

    Raises:
        VideoError: missing, empty, or not a video.
    """

    def __init__(self, path: Path, size: int) -> None:
        self._path, self._size = path, size
        with opened(path):
            self._index = packet_index(path)
        self._source: Generator[tuple[int, VideoFrame], None, None] | None = None
        self._number = 0  # of the next frame of `_source`
        self._turns = 0

    def read(self, start: int, frames: np.ndarray) -> None:
        """See `FrameReader.read`."""
        try:
            filled = self._fill(start, frames)
        except (_LostError, VideoError):
            if self._index is None:
                raise
            filled = 0
        if filled < len(frames) and self._index is not None:
            self._index = None
            self.close()
            filled = self._fill(start, frames)
        if filled < len(frames):
            raise past_the_end(self._number, start, len(frames))

    def close(self) -> None:
        """See `FrameReader.close`."""
        if self._source is not None:
            self._source.close()
            self._source = None

    def _fill(self, start: int, frames: np.ndarray) -> int:
        """Fill `frames` as far as the video goes; returns how many are filled."""
        number, time = self._index.keyframe_before(start) if self._index else (0, None)
        if self._source is None or start < self._number or number > self._number:
            self.close()
            self._number = 0
            self._source = self._numbered(time if number else None)
        filled = 0
        for batch in rgb_frames(islice(self._from(start), len(frames)), self._size):
            frames[filled : filled + len(batch)] = np.rot90(batch, self._turns, (1, 2))
            filled += len(batch)
        return filled

    def _from(self, start: int) -> Iterator["VideoFrame"]:
        assert self._source is not None
        expected = start
        for number, frame in self._source:
            self._number = number + 1
            if number < start:
                continue
            if number != expected:
                raise _LostError
            expected += 1
            self._turns = round(frame.rotation / 90) % 4
            yield frame

    def _numbered(self, time: int | None) -> Generator[tuple[int, "VideoFrame"], None, None]:
        """Frames with their numbers, from the keyframe at this time on, or from the beginning."""
        with opened(self._path) as video:
            if time is None:
                yield from enumerate(video.shown())
                return
            assert self._index is not None
            video.seek(time)
            for frame in video.shown():
                if frame.pts not in self._index.numbers:
                    raise _LostError
                yield self._index.numbers[frame.pts], frame
