"""From a video file to uint8 frames, once. Runs in a child process that can be killed: decord can hang for ever."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from av.container import InputContainer

Status = Literal["ok", "missing", "undecodable", "short", "count_mismatch", "timeout", "bad_annotation"]
UNFIT_SIZES = (6, 8, 12, 16, 24, 48, 72)  # of frames; decord 0.6 pads rows of these and then refuses to copy them
BATCH = 64  # frames decoded at a time: bounds the memory a long video takes


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
    """Name and version of the decoder, for the manifest."""
    for name in ("decord", "decord2"):
        try:
            return f"{name} {version(name)}"
        except PackageNotFoundError:
            continue
    raise ModuleNotFoundError("decord")


def read_header(path: Path) -> Header:
    """Open a file without decoding it (0.2 ms).

    Raises:
        VideoError: missing, empty, or not a video.
    """
    if not path.is_file():
        raise VideoError("missing", f"no such file: {path}")
    if path.stat().st_size == 0:
        raise VideoError("undecodable", "the file is empty (0 bytes)")
    with _opened(path) as container:
        stream = container.streams.video[0]
        return Header(stream.frames, stream.width, stream.height, float(stream.average_rate or 0))


def count_packets(path: Path) -> int:
    """Frames that are in the file, counted without decoding (1 ms).

    Raises:
        VideoError: not a video, or not readable to its end.
    """
    with _opened(path) as container:
        return sum(packet.size > 0 for packet in container.demux(video=0))


@contextmanager
def _opened(path: Path) -> Iterator["InputContainer"]:
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


def decode(path: Path, size: int) -> Iterator[np.ndarray]:
    """All frames in order, resized while decoding without keeping the aspect ratio: uint8 `n size size 3` each time.

    Raises:
        VideoError: decord cannot read the file, or reads fewer frames than the container promises.
    """
    import decord

    decord.logging.set_level(decord.logging.QUIET)
    promised = read_header(path).frames
    try:
        reader = decord.VideoReader(str(path), width=size, height=size, num_threads=1)
        count = len(reader)
        if count < promised:
            raise VideoError("short", f"the file is cut: {count} of the {promised} frames it promises are there")
        for start in range(0, count, BATCH):
            yield reader.get_batch(range(start, min(start + BATCH, count))).asnumpy()
    except (decord.DECORDError, RuntimeError, IndexError) as error:
        raise VideoError(
            "undecodable", f"decord cannot decode it: {str(error).strip().splitlines()[-1][:160]}"
        ) from error
    if promised and count != promised:
        raise VideoError("count_mismatch", f"{count} frames decoded, the container promises {promised}")
