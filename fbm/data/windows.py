"""Which frames of its video a clip is, and several clips of one video for the tasks that ask for them."""

import struct
from typing import NamedTuple

from xxhash import xxh3_64_intdigest

from fbm.data.batch import Windows


class Window(NamedTuple):
    """Where a clip starts in its chunk, or in its video, and how it is flipped."""

    start: int
    reversed: bool
    hflipped: bool


def draw_windows(windows: Windows, clip: int, slack: int, key: tuple[int, int, int]) -> list[Window]:
    """The windows of a training sample in its video, in order of time if they have an interval.

    A function of (seed, epoch, sample) alone. None is reversed: these tasks learn the direction of time, or may.
    Windows that are anywhere are mirrored each by itself, those with an interval all or none.

    Args:
        clip: frames of the video that a window spans.
        slack: how many frames the video is longer than a window.
        key: seed, epoch and sample.
    """
    if windows.interval is None:
        drawn = [_bits(key, number) for number in range(windows.clips)]
        return [Window((bits >> 1) % (slack + 1), False, bool(bits & 1)) for bits in drawn]
    bits, step = _bits(key, 0), _step(windows, windows.interval, clip, slack)
    first = (bits >> 1) % (slack - step * (windows.clips - 1) + 1)
    return [Window(first + step * number, False, bool(bits & 1)) for number in range(windows.clips)]


def fixed_windows(windows: Windows, clip: int, slack: int, start: int) -> list[Window]:
    """The windows of a sample that is evaluated, which differ between the chunks of a video.

    Args:
        clip, slack: see `draw_windows`.
        start: of the window in the middle of the sample's chunk. It is the first of those that are anywhere, which are
            spread evenly over the video from there, or the middle of those with an interval.
    """
    if windows.interval is None:
        starts = [(start + number * (slack + 1) // windows.clips) % (slack + 1) for number in range(windows.clips)]
    else:
        step = _step(windows, windows.interval, clip, slack)
        span = step * (windows.clips - 1)
        first = min(max(0, start - span // 2), slack - span)
        starts = [first + step * number for number in range(windows.clips)]
    return [Window(one, False, False) for one in starts]


def _step(windows: Windows, interval: int, clip: int, slack: int) -> int:
    """Frames between the starts of two windows: shorter where the video is, so that windows may overlap."""
    return min(clip + interval, slack // (windows.clips - 1))


def _bits(key: tuple[int, int, int], number: int) -> int:
    return xxh3_64_intdigest(struct.pack("<4q", *key, number))
