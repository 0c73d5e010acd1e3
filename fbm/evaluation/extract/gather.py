"""From mixed frames of many videos to full batches of clips, and back to each video's rows."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from fbm.evaluation.extract.decoding import Ended, Failed, Frames, Message
from fbm.evaluation.extract.parts import Rows
from fbm.evaluation.extract.windows import Windows


class Done(NamedTuple):
    """A video of which all rows are there."""

    video: int
    rows: Rows


class _Clip(NamedTuple):
    video: int
    frames: np.ndarray


@dataclass
class _Open:
    """A video in the works: clips found and rows made of them, both in order."""

    windows: Windows
    starts: list[int] = field(default_factory=list)
    rows: list[np.ndarray] = field(default_factory=list)
    fps: float | None = None  # None while it is being read

    @property
    def finished(self) -> bool:
        return self.fps is not None and len(self.rows) == len(self.starts)


class ClipBatcher:
    """Batches clips across videos: those of several short ones share a batch.

    Args:
        features: makes float32 `B D` of B clips.
        length, stride: of the clips, frames.
        batch: clips in a batch.
    """

    def __init__(
        self, features: Callable[[Sequence[np.ndarray]], np.ndarray], length: int, stride: int, batch: int
    ) -> None:
        self.features, self.length, self.stride, self.batch = features, length, stride, batch
        self.videos: dict[int, _Open] = {}
        self.waiting: list[_Clip] = []

    def run(self, messages: Iterable[Message]) -> Iterator[Done | Failed]:
        """Each video once, when it is done with; one that holds no whole clip has failed."""
        for message in messages:
            yield from self._take(message)
            while len(self.waiting) >= self.batch:
                yield from self._encode()
        while self.waiting:
            yield from self._encode()

    def _take(self, message: Message) -> Iterator[Done | Failed]:
        video = self.videos.setdefault(message.video, _Open(Windows(self.length, self.stride)))
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

    def _cut(self, video: _Open, message: Frames) -> None:
        for start, frames in video.windows.push(message.frames):
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
