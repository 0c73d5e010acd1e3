"""Masks whose computation fails in a child process, as decoders do: they must be importable there."""

import os
import signal
import time
from dataclasses import dataclass

import numpy as np

from fbm.data.masks.source import DecodedVideo, MaskSource, VideoMasks


@dataclass(frozen=True)
class Hanging(VideoMasks):
    """Never returns and ignores SIGTERM, like C code in an endless loop."""

    fingerprint: str = "hanging"

    def compute(self, video: DecodedVideo) -> np.ndarray:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)
        raise AssertionError("nobody stopped it")


@dataclass(frozen=True)
class Crashing(VideoMasks):
    fingerprint: str = "crashing"

    def compute(self, video: DecodedVideo) -> np.ndarray:
        os.kill(os.getpid(), signal.SIGSEGV)
        raise AssertionError("it did not crash")


@dataclass(frozen=True)
class ChosenMasks(MaskSource):
    """A source of these masks by video name; empty masks for the other videos."""

    masks: dict[str, VideoMasks]

    def masks_for(self, name: str) -> VideoMasks | None:
        return self.masks.get(name)


class HangingMasks(MaskSource):
    """No video's masks are ever finished."""

    def masks_for(self, name: str) -> VideoMasks | None:
        return Hanging()
