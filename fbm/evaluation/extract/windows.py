"""Cutting a stream of frames into clips, holding no more of it than the next clip needs."""

from collections.abc import Iterator

import numpy as np


class Windows:
    """The clips of one video: windows of `length` consecutive frames, one every `stride` frames.

    Attributes:
        seen: how many frames came so far.
    """

    def __init__(self, length: int, stride: int) -> None:
        self.length, self.stride, self.seen = length, stride, 0
        self._start = 0  # of the next window
        self._kept: np.ndarray | None = None  # frames seen but not done with

    def push(self, frames: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        """Take the next frames `n H W 3`; give the windows that are whole now: first frame, and `length H W 3`."""
        kept = frames if self._kept is None else np.concatenate([self._kept, frames])
        self.seen += len(frames)
        first = self.seen - len(kept)
        whole = range(self._start, self.seen - self.length + 1, self.stride)
        self._start += self.stride * len(whole)
        self._kept = kept[max(0, self._start - first) :]
        return ((start, kept[start - first : start - first + self.length]) for start in whole)
