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

LeftOut = Literal["not_a_video", "duplicate", "test_video"]
Status = Literal["ok", "missing", "undecodable", "short", "count_mismatch", "timeout", "bad_annotation"] | LeftOut
LEFT_OUT: tuple[str, ...] = get_args(LeftOut)  # rightly not in use: nothing is broken


class VideoError(Exception):
    """A file that is not whole; `status` and the message go into the manifest."""

    def __init__(self, status: Status, reason: str) -> None:
        super().__init__(status, reason)  # both, so that it survives the way back from a child process
        self.status, self.reason = status, reason


@dataclass(frozen=True)
class Header:
    """What the container says: frame count, size in pixels, frames per second."""

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
    """Frames that are in the file, counted without decoding (1 ms).

    Raises:
        VideoError: not a video, or not readable to its end.
    """
    with _container(path) as container:
        return sum(packet.size > 0 for packet in container.demux(video=0))


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
    with _container(path) as container:
        yield OpenVideo(path, container)


@contextmanager
def _container(path: Path) -> Iterator["InputContainer"]:
    """A container with a video stream; what FFmpeg refuses, now or while reading, is a VideoError."""
    import av

    try:
        # A title in another encoding than UTF-8 is no reason to refuse a video.
        with av.open(path, metadata_errors="replace") as container:
            if not container.streams.video:
                raise VideoError("undecodable", "the file holds no video stream")
            if container.streams.video[0].codec_context is None:
                raise VideoError("undecodable", "its video stream is of a kind that FFmpeg does not know")
            yield container
    except av.FFmpegError as error:
        raise VideoError("undecodable", f"not a video that can be opened: {error.strerror}") from error


class OpenVideo:
    """A video file that is open; made by `opened`."""

    def __init__(self, path: Path, container: "InputContainer") -> None:
        self._path, self._container, self._stream = path, container, container.streams.video[0]
        self._codec = self._stream.codec_context
        self._packets = self._frames = 0

    @property
    def header(self) -> Header:
        """What the container says."""
        stream = self._stream
        return Header(stream.frames, stream.width, stream.height, float(stream.average_rate or 0))

    def decode(self, size: int | None) -> Iterator[np.ndarray]:
        """All frames in order, once; see the function `decode`.

        Raises:
            VideoError: a frame is damaged, or there are not as many as the container promises.
        """
        from fbm.data.pictures import pictures  # OpenCV takes a while to import

        self._stream.thread_type = "NONE"  # files are read at the same time, not the parts of one
        # By default FFmpeg makes up what it cannot decode, and at most marks the frame.
        self._codec.options = {"err_detect": "explode"}
        yield from pictures(self._shown(), size)
        self._check_count()

    def _shown(self) -> Iterator["VideoFrame"]:
        """Frames in the order they are shown.

        MPEG-4 has empty packets that say "as before". FFmpeg makes no frame of them, which would shift all later frames
        against their annotation.
        """
        repeats, owed = self._codec.name == "mpeg4", 0
        frame = None
        for packet in self._container.demux(self._stream):
            found = self._decoded(packet)
            self._packets += packet.size > 0
            for frame in found:
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
        self._check_cut(count_packets(self._path))
        return VideoError("undecodable", f"frame {self._frames + 1} is damaged: {reason}")

    def _check_cut(self, packets: int) -> None:
        promised = self._stream.frames
        if packets < promised:
            raise VideoError("short", f"the file is cut: {packets} of the {promised} frames it promises are there")

    def _check_count(self) -> None:
        self._check_cut(self._packets)
        promised = self._stream.frames
        if promised and self._frames != promised:
            raise VideoError("count_mismatch", f"{self._frames} frames decoded, the container promises {promised}")
