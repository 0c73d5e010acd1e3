"""From a video file to uint8 frames. In a child process that can be killed: FFmpeg is C, and files may be hostile."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fbm.data.decoding.video import Header, VideoError

if TYPE_CHECKING:
    from av import Packet, VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

REPEATS = 1000  # of a frame, at most, by empty chunks: more is damage


def read_header(path: Path) -> Header:
    """Open a file without decoding it (0.3 ms).

    Raises:
        VideoError: missing, empty, or not a video.
    """
    with opened(path) as video:
        return video.header


def count_packets(path: Path) -> int:
    """Count the coded frames of a file without decoding (1 ms).

    Raises:
        VideoError: not a video, not readable to its end, or truncated.
    """
    with open_container(path, ignore_editlist="1") as (container, stream):  # count frames that an edit list hides
        packets, promised = sum(packet.size > 0 for packet in container.demux(stream)), stream.frames
        # The count of an AVI file includes empty chunks, which repeat the previous frame; its header has its length.
        if packets < promised and not (container.format.name == "avi" and _is_whole_riff(path)):
            raise VideoError("short", f"the file is cut: {packets} of the {promised} frames it promises are there")
        return packets


def _is_whole_riff(path: Path) -> bool:
    """Whether an AVI file has all bytes of its RIFF parts, of about a gigabyte each."""
    size, end = path.stat().st_size, 0
    with path.open("rb") as file:
        while file.read(4) == b"RIFF":
            if not (length := int.from_bytes(file.read(4), "little")):  # recording was interrupted
                return False
            end += 8 + length + length % 2
            file.seek(end)
    return 0 < end <= size + 1


def video_stream(container: "InputContainer") -> "VideoStream | None":
    """The video stream, preferably not a cover or a single preview picture; None without any."""
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
    with open_container(path) as (container, stream):
        yield OpenVideo(path, container, stream)


def metadata_errors(version: str) -> dict[str, Any]:
    """What PyAV's `open` takes so that a title that is not UTF-8 is no error; since version 19 it needs nothing."""
    return {"metadata_errors": "replace"} if int(version.partition(".")[0]) < 19 else {}


@contextmanager
def open_container(path: Path, **options: str) -> Iterator["tuple[InputContainer, VideoStream]"]:
    """Open a container and its video stream; errors of FFmpeg, now or while reading, become a VideoError."""
    import av

    try:
        with av.open(path, options=options, **metadata_errors(av.__version__)) as container:
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
        self._stream.thread_type = "NONE"  # parallel over files, not within one
        # By default FFmpeg conceals errors, and at most marks the frame.
        self._codec.options = {"err_detect": "explode"}
        self._packets = self._frames = 0
        self._turns = 0  # quarter turns, counterclockwise; known from frames, not from the stream

    @property
    def header(self) -> Header:
        """The container's header; width and height are of upright frames once one has been decoded."""
        stream = self._stream
        width, height = (stream.height, stream.width) if self._turns % 2 else (stream.width, stream.height)
        return Header(stream.frames, width, height, float(stream.average_rate or 0))

    def decode(self, size: int | None) -> Iterator[np.ndarray]:
        """All frames in order, upright, once; see the function `decode`.

        Their number is known only from decoding: edit lists and open GOPs hide frames, and headers may be wrong.

        Raises:
            VideoError: a frame is damaged, or the file is truncated.
        """
        from fbm.data.decoding.resize import rgb_frames  # OpenCV takes a while to import

        for batch in rgb_frames(self.shown(), size):
            yield np.ascontiguousarray(np.rot90(batch, self._turns, (1, 2))) if self._turns else batch

    def seek(self, time: int) -> None:
        """Continue with the last keyframe that is shown at this time, in the stream's units, or before."""
        self._container.seek(time, stream=self._stream)

    def shown(self) -> Iterator["VideoFrame"]:
        """Frames in the order they are shown, as they are stored.

        Empty packets of MPEG-4 and empty chunks of AVI repeat the previous frame. FFmpeg drops them, which would shift
        all later frames against their annotation.

        Raises:
            VideoError: as for `decode`.
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
        if self._packets < self._stream.frames:
            count_packets(self._path)  # raises if it is truncated
        if not self._frames:
            raise VideoError("undecodable", "no frame comes out of it")

    def _decoded(self, packet: "Packet[VideoStream]") -> list["VideoFrame"]:
        """The frames of a packet; the last packet is empty and flushes the decoder."""
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
        """The error for a damaged frame, unless the file is truncated, which explains more."""
        count_packets(self._path)
        return VideoError("undecodable", f"frame {self._frames + 1} is damaged: {reason}")
