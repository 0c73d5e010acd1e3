"""`masks=unsupervised`: what moves unlike the camera, agreed on over the whole video; nothing is learnt from labels."""

import hashlib
from collections.abc import Collection
from dataclasses import asdict, dataclass

import numpy as np

from fbm.data.masks.source import DecodedVideo
from fbm.data.masks.unsupervised.settings import VERSION, Settings

__all__ = ["Settings", "UnsupervisedMasks", "UnsupervisedTrack"]


@dataclass(frozen=True)
class UnsupervisedTrack:
    """One video's masks, made of its frames when they are there."""

    settings: Settings

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(f"{VERSION} {asdict(self.settings)}".encode()).hexdigest()[:16]

    def misfit(self, frames: int, width: int, height: int) -> str | None:
        return None

    def left_out(self, frames: int, width: int, height: int) -> str:
        return ""

    def draw(self, video: DecodedVideo) -> np.ndarray:
        import cv2

        from fbm.data.masks.unsupervised.segment import segment

        cv2.setNumThreads(1)  # videos are prepared side by side
        return segment(video.frames, self.settings)


class UnsupervisedMasks(Settings):
    """The masks of any video, from its frames alone."""

    def track(self, name: str) -> UnsupervisedTrack:
        """Every video has masks, which may be empty."""
        return UnsupervisedTrack(Settings(**asdict(self)))

    def unclaimed(self, names: Collection[str]) -> list[str]:
        """Nothing: it holds nothing."""
        return []
