"""Which frames of a file a video is: all of them, or those of a segment that is given in seconds."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from fbm.data.dataset import Video
from fbm.data.decoding.pyav import read_header
from fbm.data.decoding.video import Header, VideoError


class FrameRange(NamedTuple):
    """The first frame, and the one behind the last; None is the end of the file."""

    first: int
    stop: int | None

    def length(self, frames: int) -> int:
        """How many of a file's frames it has."""
        return max(0, (frames if self.stop is None else min(self.stop, frames)) - self.first)

    def decoded(self, frames: int) -> int:
        """How many of a file's frames have to be decoded."""
        return frames if self.stop is None else min(self.stop, frames)


class ExpectedFrames(NamedTuple):
    """How many frames will be stored, and how many decoded for that, as far as it is known before; else 0."""

    stored: int
    decoded: int


def frame_range(video: Video, header: Header) -> FrameRange:
    """The frames from `start` to `end`, by the average frame rate.

    Raises:
        VideoError: the rate is unknown, or the segment has no frame, or none by the header's count.
    """
    if not video.segment:
        return FrameRange(0, None)
    if not header.fps:
        raise VideoError("undecodable", f"its frame rate is unknown, so the segment {video.segment} s cannot be found")
    found = FrameRange(round(video.start * header.fps), None if video.end is None else round(video.end * header.fps))
    if found.stop is not None and found.stop <= found.first:
        raise VideoError("short", f"the segment {video.segment} s is shorter than a frame at {header.fps:g} a second")
    return found


def cut(batches: Iterator[np.ndarray], video: Video, header: Header) -> Iterator[np.ndarray]:
    """The frames of the video from those of its file, uint8 `n H W 3` each time; nothing behind them is decoded.

    Raises:
        VideoError: the file ends before the segment does.
    """
    wanted = frame_range(video, header)
    at = 0
    for batch in batches:
        stop = len(batch) if wanted.stop is None else wanted.stop - at
        if len(part := batch[max(0, wanted.first - at) : stop]):
            yield np.ascontiguousarray(part)
        at += len(batch)
        if wanted.stop is not None and at >= wanted.stop:
            return
    check_inside(wanted, video, header, at)


def check_inside(wanted: FrameRange, video: Video, header: Header, frames: int) -> None:
    """Check that a file of so many frames has those of the segment.

    Raises:
        VideoError: it has not.
    """
    if video.segment and (frames < (wanted.stop or 0) or frames <= wanted.first):
        raise VideoError(
            "short",
            f"the segment {video.segment} s is beyond its end: it has {frames} frames, {frames / header.fps:g} s",
        )


def expected(video: Video) -> ExpectedFrames:
    """The frames of a video before it is decoded; its file is opened, unless the data set knows their number."""
    if not video.segment and video.expected is not None:
        return ExpectedFrames(video.expected, video.expected)
    try:
        header = read_header(video.path)
        wanted = frame_range(video, header)
    except VideoError:
        return ExpectedFrames(0, 0)  # reported when it is decoded
    frames = header.frames or video.expected or 0
    return ExpectedFrames(wanted.length(frames), wanted.decoded(frames))
