"""Ways from a video file to frames of a size: other libraries', as each offers it, and fbm's; one thread each.

Every peer has two ways: `clip`, some frames from the middle, and `whole`, all in order; both give uint8
`N size size 3` RGB.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from fbm.data.decoding.decoders import check_decoder, open_video
from fbm.data.decoding.video import DECODERS, Decoder, VideoError
from fbm.utils.errors import UserError

BATCH = 64  # frames at a time, where all are asked for


@dataclass(frozen=True)
class Peer:
    """A decoder: `clip(path, start, count, size)`, and `whole(path, size)` in batches."""

    clip: Callable[[Path, int, int, int], np.ndarray]
    whole: Callable[[Path, int], Iterator[np.ndarray]]


def peers() -> dict[str, Peer]:
    """Those that are installed here, by name. PyAV and OpenCV always are."""
    found = {"PyAV": Peer(_pyav_clip, _pyav_whole), "OpenCV": Peer(_opencv_clip, _opencv_whole)}
    if find_spec("decord"):
        found["decord"] = Peer(_decord_clip, _decord_whole)
    if find_spec("torchcodec"):
        try:
            import torchcodec  # noqa: F401 (whether it loads)
        except (OSError, RuntimeError, ImportError):
            return found  # installed, but not FFmpeg's libraries that it needs
        found["torchcodec"] = Peer(_torchcodec_clip, _torchcodec_whole)
    return found


def usable() -> list[Decoder]:
    """Those of `data.decoder` that can be used here."""
    found: list[Decoder] = []
    for decoder in DECODERS:
        with suppress(UserError):
            check_decoder(decoder)
            found.append(decoder)
    return found


def checked(decoder: Decoder, path: Path, size: int) -> Iterator[np.ndarray]:
    """A whole file as fbm decodes it; without the frames behind the one at which it is refused."""
    with suppress(VideoError), open_video(path, decoder) as video:
        yield from video.decode(size)


def missing() -> list[str]:
    """A sentence about those that are not, where there are any."""
    absent = [name for name in ("decord", "torchcodec") if name not in peers()]
    return (
        [f"Not installed, or without FFmpeg's libraries, and so not compared: {', '.join(absent)}."] if absent else []
    )


def _decord(path: Path, size: int) -> Any:
    import decord

    decord.logging.set_level(decord.logging.QUIET)
    return decord.VideoReader(str(path), width=size, height=size, num_threads=1)


def _decord_clip(path: Path, start: int, count: int, size: int) -> np.ndarray:
    frames: np.ndarray = _decord(path, size).get_batch(range(start, start + count)).asnumpy()
    return frames


def _decord_whole(path: Path, size: int) -> Iterator[np.ndarray]:
    reader = _decord(path, size)
    for start in range(0, len(reader), BATCH):
        yield reader.get_batch(range(start, min(start + BATCH, len(reader)))).asnumpy()


def _pyav_clip(path: Path, start: int, count: int, size: int) -> np.ndarray:
    with av.open(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        assert stream.time_base is not None
        assert stream.average_rate is not None
        tick = 1 / (stream.average_rate * stream.time_base)  # of time base, a frame
        container.seek(round(start * tick), stream=stream)
        reformat = av.video.reformatter.VideoReformatter()
        frames: list[np.ndarray] = []
        for frame in container.decode(stream):
            if frame.pts is not None and round(frame.pts / tick) < start:
                continue
            frames.append(reformat.reformat(frame, size, size, "rgb24").to_ndarray())
            if len(frames) == count:
                break
    return np.stack(frames)


def _pyav_whole(path: Path, size: int) -> Iterator[np.ndarray]:
    reformat = av.video.reformatter.VideoReformatter()
    with av.open(path) as container:
        container.streams.video[0].thread_type = "NONE"
        for frame in container.decode(video=0):
            yield reformat.reformat(frame, size, size, "rgb24").to_ndarray()[None]


def _opencv(path: Path) -> Any:
    return cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])


def _opencv_next(capture: Any, size: int) -> np.ndarray | None:
    there, frame = capture.read()
    return cv2.cvtColor(cv2.resize(frame, (size, size)), cv2.COLOR_BGR2RGB) if there else None


def _opencv_clip(path: Path, start: int, count: int, size: int) -> np.ndarray:
    capture = _opencv(path)
    capture.set(cv2.CAP_PROP_POS_FRAMES, start)
    frames = [frame for _ in range(count) if (frame := _opencv_next(capture, size)) is not None]
    return np.stack(frames)


def _opencv_whole(path: Path, size: int) -> Iterator[np.ndarray]:
    capture = _opencv(path)
    while (frame := _opencv_next(capture, size)) is not None:
        yield frame[None]


def _torchcodec(path: Path, size: int) -> Any:
    from torchcodec.decoders import VideoDecoder
    from torchcodec.transforms import Resize

    return VideoDecoder(str(path), num_ffmpeg_threads=1, dimension_order="NHWC", transforms=[Resize((size, size))])


def _torchcodec_clip(path: Path, start: int, count: int, size: int) -> np.ndarray:
    frames: np.ndarray = _torchcodec(path, size).get_frames_in_range(start, start + count).data.numpy()
    return frames


def _torchcodec_whole(path: Path, size: int) -> Iterator[np.ndarray]:
    try:
        for frame in _torchcodec(path, size):
            yield frame.numpy()[None]
    except RuntimeError:
        return  # of some files it promises one frame more than it has
