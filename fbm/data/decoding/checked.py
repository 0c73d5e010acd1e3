"""Frames of another decoder than PyAV, compared with PyAV's.

decord and torchcodec drop frames that are stored as "as before", count frames that nobody shows, and conceal damage:
later frames are then others than their annotation means. decord also repeats the last frame in place of a dropped one,
so that their number is right. To decode a frame in the middle is to decode all before it in files with one keyframe, as
every second of UCF-101's, so checking a few would cost nearly as much: PyAV decodes the whole file along, to
thumbnails.
"""

from collections.abc import Iterator

import cv2
import numpy as np

from fbm.data.decoding.indexed import IndexedFrames
from fbm.data.decoding.pyav import OpenVideo
from fbm.data.decoding.resize import BATCH, resized, rgb_thumbnail, thumbnail
from fbm.data.decoding.video import Header, VideoError

THUMBNAIL = 16  # pixels
# Of the mean absolute difference, summed over frames. In 79 real files it is at most 0.14 where both agree, and at
# least 2.5 where one is a frame late or early for 30 frames.
SHIFTED = 1.0
OTHER = 48.0  # mean absolute difference of two pictures that are not the same one


class CheckedVideo:
    """An `OpenedVideo` whose frames come from another decoder.

    Args:
        name: of the decoder.
        frames: its frames.
        pyav: the same file.
    """

    def __init__(self, name: str, frames: IndexedFrames, pyav: OpenVideo) -> None:
        self._name, self._frames, self._pyav = name, frames, pyav

    @property
    def header(self) -> Header:
        """See `OpenedVideo.header`."""
        return self._pyav.header

    def decode(self, size: int | None) -> Iterator[np.ndarray]:
        """See `OpenedVideo.decode`. A batch is yielded when it has been compared."""
        expected = self._pyav.shown()
        comparison = _Comparison()
        batch: list[np.ndarray] = []
        for number in range(len(self._frames)):
            try:
                frame = self._frames.at(number)
            except VideoError as error:
                raise self._refusal(number + _rest(expected), error.reason) from error
            batch.append(frame if size is None else resized(frame[None], size)[0])
            other = next(expected, None)
            if other is None:
                raise self._refusal(number, "")
            turns = round(other.rotation / 90) % 4
            small = np.rot90(thumbnail(other, THUMBNAIL), turns)
            if reason := comparison.differs(rgb_thumbnail(batch[-1], THUMBNAIL), small):
                reason = f"{self._name} {reason} at frame {number + 1}"
                raise self._refusal(number + 1 + _rest(expected), reason)
            if len(batch) == (BATCH if size else 1):
                yield np.stack(batch)
                batch = []
        if rest := _rest(expected):
            raise self._refusal(len(self._frames) + rest, "")
        if batch:
            yield np.stack(batch)

    def _refusal(self, frames: int, reason: str) -> VideoError:
        """The error for a file of which PyAV shows so many `frames`: a differing number explains most."""
        found = len(self._frames)
        reason = reason if found == frames else f"{self._name} finds {found} frames, PyAV {frames}"
        return VideoError("undecodable", f"{reason}; the decoder pyav reads it")


def _rest(frames: Iterator[object]) -> int:
    return sum(1 for _ in frames)


class _Comparison:
    """Whether a sequence of thumbnails is the other, or the other a frame late or early.

    Compared is what changes from one frame to the next, since decoders differ in colours and rounding, too. Where
    nothing moves, a shift is neither found nor of consequence.
    """

    def __init__(self) -> None:
        self._before: tuple[np.ndarray, np.ndarray] | None = None
        self._changes: tuple[np.ndarray, np.ndarray] | None = None
        self._late = self._early = 0.0

    def differs(self, found: np.ndarray, expected: np.ndarray) -> str:
        """Take the next frame of both, float32 `s s`; returns what is wrong so far, empty if nothing is."""
        pair = found, expected
        if _distance(*pair) > OTHER:
            return "shows another picture"
        before, self._before = self._before, pair
        if before is None:
            return ""
        changes = pair[0] - before[0], pair[1] - before[1]
        earlier, self._changes = self._changes, changes
        if earlier is None:
            return ""
        self._late = max(0.0, self._late + _distance(*changes) - _distance(changes[0], earlier[1]))
        self._early = max(0.0, self._early + _distance(*earlier) - _distance(earlier[0], changes[1]))
        if max(self._late, self._early) <= SHIFTED:
            return ""
        return f"is a frame {'late' if self._late > self._early else 'early'}"


def _distance(one: np.ndarray, other: np.ndarray) -> float:
    return cv2.norm(one, other, cv2.NORM_L1) / one.size
