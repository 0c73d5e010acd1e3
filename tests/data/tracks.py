"""Masks whose drawing goes wrong in a child process, as decoders do: they must be importable there."""

import os
import signal
import time
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from fbm.data.masks.source import DecodedVideo, MaskTrack


@dataclass(frozen=True)
class Hanging:
    """Never comes back, and does not heed SIGTERM, as C code that is in a loop."""

    fingerprint: str = "hanging"

    def misfit(self, frames: int, width: int, height: int) -> None:
        return None

    def left_out(self, frames: int, width: int, height: int) -> str:
        return ""

    def draw(self, video: DecodedVideo) -> np.ndarray:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)
        raise AssertionError("nobody stopped it")


@dataclass(frozen=True)
class Crashing:
    fingerprint: str = "crashing"

    def misfit(self, frames: int, width: int, height: int) -> None:
        return None

    def left_out(self, frames: int, width: int, height: int) -> str:
        return ""

    def draw(self, video: DecodedVideo) -> np.ndarray:
        os.kill(os.getpid(), signal.SIGSEGV)
        raise AssertionError("it did not crash")


@dataclass(frozen=True)
class Tracks:
    """A mask source of chosen tracks; empty masks for the other videos."""

    tracks: dict[str, MaskTrack]

    def track(self, name: str) -> MaskTrack | None:
        return self.tracks.get(name)

    def unclaimed(self, names: Collection[str]) -> list[str]:
        return []
