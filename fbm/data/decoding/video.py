"""What every decoder says of a video: its header, or why it cannot be used."""

from dataclasses import dataclass
from typing import Literal, Protocol, get_args

import numpy as np

Exclusion = Literal["not_a_video", "duplicate", "test_video"]
Status = Literal["ok", "missing", "undecodable", "short", "timeout", "bad_annotation"] | Exclusion
EXCLUDED: tuple[str, ...] = get_args(Exclusion)  # left out on purpose: nothing is broken


class VideoError(Exception):
    """A file that cannot be used; `status` and `reason` go into the manifest."""

    def __init__(self, status: Status, reason: str) -> None:
        super().__init__(status, reason)  # both, so that it can be pickled
        self.status, self.reason = status, reason


@dataclass(frozen=True)
class Header:
    """The container's header: frame count (a hint, 0 if unknown), size in pixels, frames per second."""

    frames: int
    width: int
    height: int
    fps: float


class FrameReader(Protocol):
    """An open video, any of whose frames can be read."""

    def read(self, start: int, frames: np.ndarray) -> None:
        """Fill `frames`, uint8 `N size size 3` RGB, with the video's frames from number `start` on.

        Numbering is that of decoding from the beginning with the same decoder.

        Raises:
            VideoError: a frame does not decode.
        """

    def close(self) -> None:
        """Close the file."""
