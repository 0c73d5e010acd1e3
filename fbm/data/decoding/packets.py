"""Which frames a file's packets hold, known without decoding, so that reading can begin at a keyframe."""

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from fbm.data.decoding.pyav import open_container

# Codecs of which each packet is one frame that is shown. VP8, for one, has packets of frames that never are.
FRAME_EACH = frozenset({"h264", "hevc", "av1", "vp9", "mpeg4", "mpeg2video", "mpeg1video", "mjpeg"})
TINY = 16  # bytes: a smaller packet of MPEG-4 may mean "as before" and hold no frame


@dataclass(frozen=True)
class PacketIndex:
    """Where reading may begin.

    Attributes:
        numbers: a frame's number by its presentation time.
        keyframes: number and presentation time of each, ascending; the first is frame 0.
        closed: every frame that is stored behind a keyframe is shown after it, and every earlier one before it.
    """

    numbers: dict[int, int]
    keyframes: list[tuple[int, int]]
    closed: bool

    def keyframe_before(self, number: int) -> tuple[int, int]:
        """The last keyframe that is not after this frame."""
        return self.keyframes[bisect_right(self.keyframes, number, key=lambda keyframe: keyframe[0]) - 1]


def packet_index(path: Path) -> PacketIndex | None:
    """The index of a file, which is read once (1 ms for a clip of UCF-101); None if only decoding tells the numbers.

    That is so where frames have no times of their own, are hidden by an edit list, cannot be shown since they refer to
    frames before the beginning, or are repeated by empty packets or chunks.

    Raises:
        VideoError: it cannot be opened or read.
    """
    with open_container(path) as (container, stream):
        packets = [packet for packet in container.demux(stream) if packet.size]
        codec, container_name = stream.codec_context.codec.canonical_name, container.format.name
    times = [packet.pts for packet in packets if packet.pts is not None]
    if len(set(times)) < len(packets) or not packets or codec not in FRAME_EACH:
        return None
    if times[0] != min(times) or not packets[0].is_keyframe or any(packet.is_discard for packet in packets):
        return None
    if codec == "mpeg4" and min(packet.size for packet in packets) < TINY:
        return None
    if container_name == "avi" and [packet.dts for packet in packets] != list(range(len(packets))):
        return None
    numbers = {time: number for number, time in enumerate(sorted(times))}
    before = [times[0] - 1, *accumulate(times, max)]
    after = [*accumulate(reversed(times), min)][::-1]
    places = [place for place, packet in enumerate(packets) if packet.is_keyframe]
    closed = all(before[place] < times[place] == after[place] for place in places)
    return PacketIndex(numbers, sorted((numbers[times[place]], times[place]) for place in places), closed)
