"""Cutting a stream of frames into clips, with no more frames in memory than the next clip needs."""

from collections.abc import Iterator

import numpy as np


class SlidingWindow:
    """The clips of one video: windows of `length` consecutive frames, one every `stride` frames.

    Attributes:
        seen: number of frames so far.
    """

    def __init__(self, length: int, stride: int) -> None:
        self.length = length
        self.stride = stride
        self.seen = 0
        self._start = 0  # of the next window
        self._kept: np.ndarray | None = None  # frames that later windows need

    def feed(self, frames: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        """Add the next frames `n H W 3`; returns the windows completed by them: first frame, and `length H W 3`."""
        kept = frames if self._kept is None else np.concatenate([self._kept, frames])
        self.seen += len(frames)
        first = self.seen - len(kept)
        whole = range(self._start, self.seen - self.length + 1, self.stride)
        self._start += self.stride * len(whole)
        self._kept = kept[max(0, self._start - first) :]
        return ((start, kept[start - first : start - first + self.length]) for start in whole)
