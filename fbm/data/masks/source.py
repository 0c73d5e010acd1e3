"""What every source of foreground masks offers. A source is asked in `prepare`; training only reads the store."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

import numpy as np


class MaskError(Exception):
    """A video's masks cannot be made; the message becomes the reason in the store's manifest."""


@dataclass(frozen=True)
class DecodedVideo:
    """What a source may look at.

    Attributes:
        frames: uint8 `T size size 3`, memory-mapped.
        width, height: of the original video in pixels.
    """

    name: str
    frames: np.ndarray
    width: int
    height: int


class MaskTrack(Protocol):
    """The masks of one video, not made yet. It travels to a child process, so it must be small and picklable."""

    @property
    def fingerprint(self) -> str:
        """Changes when the masks would: what is stored under the same one is not made again."""

    def misfit(self, frames: int, width: int, height: int) -> str | None:
        """Why the masks of a video of this length and size (pixels) cannot be made, as far as that can be told
        without looking at it; None where nothing speaks against it.
        """

    def left_out(self, frames: int, width: int, height: int) -> str:
        """What is not used of the masks of such a video, which fit; empty where all is."""

    def draw(self, video: DecodedVideo) -> np.ndarray:
        """Bool `T size size`, True on foreground.

        Raises:
            MaskError: they cannot be made for this video.
        """


class MaskSource(Protocol):
    """Where the foreground of a data set comes from."""

    def track(self, name: str) -> MaskTrack | None:
        """The masks of video `name`; None where this source knows nothing of it (empty masks are stored)."""

    def unclaimed(self, names: Collection[str]) -> list[str]:
        """What it holds for videos that are not among `names` and should be: another name for a video, most likely."""


@dataclass(frozen=True)
class InvalidMasks:
    """Stands for an annotation that is there but cannot be read, so that its video is reported, not left out."""

    reason: str
    fingerprint: str = "unreadable"

    def misfit(self, frames: int, width: int, height: int) -> str | None:
        return self.reason

    def left_out(self, frames: int, width: int, height: int) -> str:
        return ""

    def draw(self, video: DecodedVideo) -> np.ndarray:
        raise MaskError(self.reason)
