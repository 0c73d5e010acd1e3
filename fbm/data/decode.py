"""From a video file to uint8 frames. In a child process that can be killed: FFmpeg is C, and files may be hostile."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

if TYPE_CHECKING:
    from av import Packet, VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

Exclusion = Literal["not_a_video", "duplicate", "test_video"]
Status = Literal["ok", "missing", "undecodable", "short", "timeout", "bad_annotation"] | Exclusion
EXCLUDED: tuple[str, ...] = get_args(Exclusion)  # rightly not in use: nothing is broken
REPEATS = 1000  # of a picture, at most, by empty chunks: more is damage


class VideoError(Exception):
    """A file that is not whole; `status` and the message go into the manifest."""

    def __init__(self, status: Status, reason: str) -> None:
        super().__init__(status, reason)  # both, so that it survives the way back from a child process
        self.status, self.reason = status, reason


@dataclass(frozen=True)
class Header:
    """What the container says: frame count (a hint, 0 where it has none), size in pixels, frames per second."""

    frames: int
    width: int
    height: int
    fps: float


def decoder() -> str:
    """What makes frames, with versions, for the manifest."""
    import av
    import cv2

    return f"PyAV {av.__version__}, OpenCV {cv2.__version__}"


def read_header(path: Path) -> Header:
    """Open a file without decoding it (0.3 ms).

    Raises:
        VideoError: missing, empty, or not a video.
    """
    with opened(path) as video:
        return video.header


def count_packets(path: Path) -> int:
    """Coded frames that are in the file, counted without decoding (1 ms).

    Raises:
        VideoError: not a video, not readable to its end, or cut.
    """
    with _container(path, ignore_editlist="1") as (container, stream):  # what an edit list hides is in the file
        packets, promised = sum(packet.size > 0 for packet in container.demux(stream)), stream.frames
        # An AVI file's count has the empty chunks in it that say "as before"; how long it is stands at its beginning.
        if packets < promised and not (container.format.name == "avi" and _is_whole_riff(path)):
            raise VideoError("short", f"the file is cut: {packets} of the {promised} frames it promises are there")
        return packets


def _is_whole_riff(path: Path) -> bool:
    """Whether an AVI file has the bytes that its parts, of about a gigabyte each, promise."""
    size, end = path.stat().st_size, 0
    with path.open("rb") as file:
        while file.read(4) == b"RIFF":
            if not (length := int.from_bytes(file.read(4), "little")):  # was never finished
                return False
            end += 8 + length + length % 2
            file.seek(end)
    return 0 < end <= size + 1


def video_stream(container: "InputContainer") -> "VideoStream | None":
    """The stream that is the video: no cover and no single preview picture where there is another; None if none."""
    from av.stream import Disposition

    streams = container.streams.video
    moving = [one for one in streams if one.frames != 1 and not one.disposition & Disposition.attached_pic]
    return next(iter([*moving, *streams]), None)


def decode(path: Path, size: int | None) -> Iterator[np.ndarray]:
    """All frames in order, in RGB, resized without keeping the aspect ratio: uint8 `n size size 3` each time.

    Args:
        size: in pixels; None keeps each frame's own height and width.

    Raises:
        VideoError: see `OpenVideo.decode`, and as for `read_header`.
    """
    with opened(path) as video:
        yield from video.decode(size)


@contextmanager
def opened(path: Path) -> Iterator["OpenVideo"]:
    """Open a file once for its header and its frames.

    Raises:
        VideoError: missing, empty, or not a video.
    """
    if not path.is_file():
        raise VideoError("missing", f"no such file: {path}")
    if path.stat().st_size == 0:
        raise VideoError("undecodable", "the file is empty (0 bytes)")
    with _container(path) as (container, stream):
        yield OpenVideo(path, container, stream)


@contextmanager
def _container(path: Path, **options: str) -> Iterator["tuple[InputContainer, VideoStream]"]:
    """A container and its video; what FFmpeg refuses, now or while reading, is a VideoError."""
    import av

    try:
        # A title in another encoding than UTF-8 is no reason to refuse a video.
        with av.open(path, metadata_errors="replace", options=options) as container:
            stream = video_stream(container)
            if stream is None:
                raise VideoError("undecodable", "the file holds no video stream")
            if stream.codec_context is None:
                raise VideoError("undecodable", "its video stream is of a kind that FFmpeg does not know")
            yield container, stream
    except av.FFmpegError as error:
        raise VideoError("undecodable", f"not a video that can be opened: {error.strerror}") from error


class OpenVideo:
    """A video file that is open; made by `opened`."""

    def __init__(self, path: Path, container: "InputContainer", stream: "VideoStream") -> None:
        self._path, self._container, self._stream = path, container, stream
        self._codec = self._stream.codec_context
        self._packets = self._frames = 0
        self._turns = 0  # quarters, against the clock; each frame says it, the stream does not

    @property
    def header(self) -> Header:
        """What the container says; width and height are those of upright frames once one has been decoded."""
        stream = self._stream
        width, height = (stream.height, stream.width) if self._turns % 2 else (stream.width, stream.height)
        return Header(stream.frames, width, height, float(stream.average_rate or 0))

    def decode(self, size: int | None) -> Iterator[np.ndarray]:
        """All frames in order, upright, once; see the function `decode`.

        How many there are the decoder says: edit lists and open groups of pictures hide some, and counts in headers are
        wrong.

        Raises:
            VideoError: a frame is damaged, or the file is cut.
        """
        from fbm.data.resize import pictures  # OpenCV takes a while to import

        self._stream.thread_type = "NONE"  # files are read at the same time, not the parts of one
        # By default FFmpeg makes up what it cannot decode, and at most marks the frame.
        self._codec.options = {"err_detect": "explode"}
        for batch in pictures(self._shown(), size):
            yield np.ascontiguousarray(np.rot90(batch, self._turns, (1, 2))) if self._turns else batch
        if self._packets < self._stream.frames:
            count_packets(self._path)  # it may be cut
        if not self._frames:
            raise VideoError("undecodable", "no frame comes out of it")

    def _shown(self) -> Iterator["VideoFrame"]:
        """Frames in the order they are shown.

        MPEG-4 has empty packets that say "as before", AVI empty chunks that say the same. FFmpeg makes no frame of
        them, which would shift all later frames against their annotation.
        """
        repeats, owed = self._codec.name == "mpeg4", 0
        frame, chunk = None, -1
        for packet in self._container.demux(self._stream):
            if self._container.format.name == "avi" and packet.size and packet.dts is not None:  # a chunk's number
                empty = min(packet.dts - chunk - 1, REPEATS)
                chunk = packet.dts
                if frame and empty > 0:
                    self._frames += empty
                    self._packets += empty
                    yield from [frame] * empty
            found = self._decoded(packet)
            self._packets += packet.size > 0
            for frame in found:
                self._turns = round(frame.rotation / 90) % 4
                self._frames += 1
                yield frame
            if not repeats:
                continue
            # With B-frames a frame comes out one packet late, and what is to be shown again is the next that does.
            late = 1 if self._codec.has_b_frames else 0
            if not found and packet.size and self._packets > self._frames + owed + late:
                owed += 1
            if owed and frame and (found or not late):
                self._frames += owed
                yield from [frame] * owed
                owed = 0

    def _decoded(self, packet: "Packet[VideoStream]") -> list["VideoFrame"]:
        """What comes out when a packet goes in; the last, which is empty, brings what is still inside."""
        import av

        try:
            found = packet.decode()
        except av.FFmpegError as error:
            raise self._damaged(str(error.strerror)) from error
        for frame in found:
            if frame.is_corrupt:
                raise self._damaged("FFmpeg marks it as corrupt")
        return found

    def _damaged(self, reason: str) -> VideoError:
        """A file that is cut ends with half a frame; that it is cut says more."""
        count_packets(self._path)
        return VideoError("undecodable", f"frame {self._frames + 1} is damaged: {reason}")
