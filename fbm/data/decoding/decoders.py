"""The decoders to choose from."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal

import numpy as np

from fbm.data.decoding.pyav import OpenVideo, decode, opened
from fbm.data.decoding.video import FrameReader, VideoError

Decoder = Literal["pyav", "decord", "torchcodec"]


def open_video(path: Path, decoder: Decoder) -> AbstractContextManager[OpenVideo]:
    """Open a file once for its header and its frames."""
    return opened(path)


def open_reader(path: Path, decoder: Decoder, size: int) -> FrameReader:
    """Open a file to read any of its frames."""
    return Reader(path, size)


class Reader:
    """Placeholder until the decoders are there."""

    def __init__(self, path: Path, size: int) -> None:
        self.path, self.size = path, size

    def read(self, start: int, frames: np.ndarray) -> None:
        place, stop = 0, start + len(frames)
        for batch in decode(self.path, self.size):
            first, last = max(start, place), min(stop, place + len(batch))
            if first < last:
                frames[first - start : last - start] = batch[first - place : last - place]
            place += len(batch)
            if place >= stop:
                return
        raise VideoError("short", f"it has {place} frames")

    def close(self) -> None:
        pass
