"""`masks=unsupervised`: what moves unlike the camera, agreed on over the whole video; nothing is learnt from labels."""

import hashlib
from dataclasses import asdict, dataclass

import numpy as np

from fbm.data.masks.boxes import tight_boxes
from fbm.data.masks.source import DecodedVideo, MaskSource, VideoMasks
from fbm.data.masks.unsupervised.settings import VERSION, Settings

__all__ = ["MotionMasks", "Settings", "UnsupervisedMasks"]


@dataclass(frozen=True)
class MotionMasks(VideoMasks):
    """One video's masks, computed from its frames."""

    settings: Settings

    @property
    def fingerprint(self) -> str:
        settings = asdict(self.settings)
        if not self.settings.boxes:  # stores of before this setting stay valid
            del settings["boxes"]
        return hashlib.sha256(f"{VERSION} {settings}".encode()).hexdigest()[:16]

    def compute(self, video: DecodedVideo) -> np.ndarray:
        return self.rated(video)[0]

    def rated(self, video: DecodedVideo) -> tuple[np.ndarray, float]:
        import cv2

        from fbm.data.masks.unsupervised.segment import segment

        cv2.setNumThreads(1)  # one process per video
        masks, confidence = segment(video.frames, self.settings)
        return (tight_boxes(masks) if self.settings.boxes else masks), confidence


class UnsupervisedMasks(Settings, MaskSource):
    """The masks of any video, from its frames alone."""

    def masks_for(self, name: str) -> MotionMasks:
        """Every video has masks, which may be empty."""
        return MotionMasks(Settings(**asdict(self)))
