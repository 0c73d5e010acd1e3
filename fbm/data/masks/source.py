"""The base classes of mask sources. `fbm prepare` asks a source for masks; training only reads the store."""

from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np


class MaskError(Exception):
    """A video's masks cannot be computed; the message becomes the reason in the store's manifest."""


@dataclass(frozen=True)
class DecodedVideo:
    """The input of `VideoMasks.compute`.

    Attributes:
        frames: uint8 `T size size 3`, memory-mapped.
        width, height: of the original video in pixels.
    """

    name: str
    frames: np.ndarray
    width: int
    height: int


class VideoMasks(ABC):
    """The masks of one video, to be computed in a child process: small and picklable."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Changes whenever the masks would: masks stored under the same fingerprint are kept."""

    @abstractmethod
    def compute(self, video: DecodedVideo) -> np.ndarray:
        """Bool `T size size`, True on foreground.

        Raises:
            MaskError: the masks of this video cannot be computed.
        """

    def rated(self, video: DecodedVideo) -> tuple[np.ndarray, float]:
        """The masks, and how sure they are, from 0 to 1; annotations and other tools' masks are taken as sure.

        Raises:
            MaskError: as `compute`.
        """
        return self.compute(video), 1.0

    def validate(self, frames: int, width: int, height: int) -> str | None:
        """The reason why masks of a video of this length and size (pixels) cannot be computed, as far as it is known
        without decoding; None if there is none.
        """
        return None

    def unused(self, frames: int, width: int, height: int) -> str:
        """What part of a valid annotation is not used; empty if all of it is."""
        return ""


class MaskSource(ABC):
    """Where the foreground masks of a data set come from; `masks.source._target_` names a subclass.

    Parameters that are annotated as `Path` only say where files are: they are left out of run names and fingerprints.
    """

    @abstractmethod
    def masks_for(self, name: str) -> VideoMasks | None:
        """The masks of video `name`; None if this source has none for it (empty masks are stored)."""

    def unmatched(self, names: Collection[str]) -> list[str]:
        """Masks of this source that belong to none of the videos `names`, probably because they are named otherwise."""
        return []


@dataclass(frozen=True)
class InvalidMasks(VideoMasks):
    """Stands for an annotation that cannot be read, so that its video is reported rather than left without masks."""

    reason: str
    fingerprint: str = "unreadable"

    def validate(self, frames: int, width: int, height: int) -> str | None:
        return self.reason

    def compute(self, video: DecodedVideo) -> np.ndarray:
        raise MaskError(self.reason)
