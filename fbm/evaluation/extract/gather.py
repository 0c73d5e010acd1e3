"""Batching: interleaved frames of many videos become full batches of clips, and their features rows by video."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from fbm.evaluation.extract.decoding import Ended, Failed, Frames, Message
from fbm.evaluation.extract.parts import Rows
from fbm.evaluation.extract.windows import SlidingWindow


class Done(NamedTuple):
    """All rows of one video."""

    video: int
    rows: Rows


class _Clip(NamedTuple):
    video: int
    frames: np.ndarray


@dataclass
class _Progress:
    """A video in progress: its clips and their rows so far, both in order."""

    windows: SlidingWindow
    starts: list[int] = field(default_factory=list)
    rows: list[np.ndarray] = field(default_factory=list)
    fps: float | None = None  # None until all frames have arrived

    @property
    def finished(self) -> bool:
        return self.fps is not None and len(self.rows) == len(self.starts)


class ClipBatcher:
    """Batches clips across videos: clips of several short videos share a batch.

    Args:
        features: maps B clips to float32 `B D`.
        length, stride: of the clips, frames.
        batch: clips in a batch.
    """

    def __init__(
        self, features: Callable[[Sequence[np.ndarray]], np.ndarray], length: int, stride: int, batch: int
    ) -> None:
        self.features = features
        self.length = length
        self.stride = stride
        self.batch = batch
        self.videos: dict[int, _Progress] = {}
        self.waiting: list[_Clip] = []

    def run(self, messages: Iterable[Message]) -> Iterator[Done | Failed]:
        """Each video once, when it is finished. A video without a whole clip has failed."""
        for message in messages:
            yield from self._take(message)
            while len(self.waiting) >= self.batch:
                yield from self._encode()
        while self.waiting:
            yield from self._encode()

    def _take(self, message: Message) -> Iterator[Done | Failed]:
        video = self.videos.setdefault(message.video, _Progress(SlidingWindow(self.length, self.stride)))
        if isinstance(message, Failed):
            yield self._drop(message)
        elif isinstance(message, Ended):
            video.fps = message.fps
            if not video.starts:
                reason = f"too short: {video.windows.seen} frames, a clip has {self.length}"
                yield self._drop(Failed(message.video, reason))
            elif video.finished:
                yield self._done(message.video)
        else:
            self._cut(video, message)

    def _cut(self, video: _Progress, message: Frames) -> None:
        for start, frames in video.windows.feed(message.frames):
            video.starts.append(start)
            self.waiting.append(_Clip(message.video, frames))

    def _encode(self) -> Iterator[Done]:
        clips, self.waiting = self.waiting[: self.batch], self.waiting[self.batch :]
        for clip, row in zip(clips, self.features([clip.frames for clip in clips]), strict=True):
            self.videos[clip.video].rows.append(row)
        for number in dict.fromkeys(clip.video for clip in clips):
            if self.videos[number].finished:
                yield self._done(number)

    def _done(self, number: int) -> Done:
        video = self.videos.pop(number)
        return Done(number, Rows(np.array(video.starts, np.int64), np.stack(video.rows), video.fps or 0.0))

    def _drop(self, failed: Failed) -> Failed:
        del self.videos[failed.video]
        self.waiting = [clip for clip in self.waiting if clip.video != failed.video]
        return failed
