"""What every decoder says of a video: its header and frames, or why it cannot be used."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, get_args

if TYPE_CHECKING:
    import numpy as np

Decoder = Literal["pyav", "decord", "torchcodec"]
DECODERS: tuple[Decoder, ...] = get_args(Decoder)

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


class OpenedVideo(Protocol):
    """A video that is open for one reading of all its frames."""

    @property
    def header(self) -> Header:
        """The container's header; width and height are of upright frames once one has been decoded."""

    def decode(self, size: int | None) -> Iterator["np.ndarray"]:
        """All frames in order, upright, in RGB, resized without keeping the aspect ratio: uint8 `n size size 3` a time.

        Args:
            size: in pixels; None keeps each frame's own height and width.

        Raises:
            VideoError: the video is damaged or truncated, or the decoder's frames are not those that the file has.
        """


class FrameReader(Protocol):
    """A video that is open for reading anywhere in it. Neither shared by processes nor by threads."""

    def read(self, start: int, frames: "np.ndarray") -> None:
        """Fill `frames`, uint8 `N size size 3`, with the frames from number `start` on, in RGB.

        Numbers are those of decoding from the beginning with the same decoder.

        Raises:
            VideoError: the video is damaged, or has no such frames.
        """

    def close(self) -> None:
        """Close the file."""
