"""Resize decoded frames and convert them to RGB: each plane is resized first, colours are converted at the new size.

Converting first, as FFmpeg's swscale and OpenCV do, is slower: most of the converted pixels are discarded.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np
from av import VideoFrame
from av.video.plane import VideoPlane
from av.video.reformatter import VideoReformatter

BATCH = 8  # frames at a time: at 128 pixels, they fit into the cache
# Luma and two chroma planes of 8 bits, as in nearly every video. `yuvj` is full range.
PLANAR = frozenset(f"{kind}{layout}p" for kind in ("yuv", "yuvj") for layout in (410, 411, 420, 422, 440, 444))
FULL = 2  # AVColorRange
# The weights of red and blue in luma, by AVColorSpace; BT.601 for others and where it is unspecified.
WEIGHTS = {1: (0.2126, 0.0722), 4: (0.3, 0.11), 7: (0.212, 0.087), 9: (0.2627, 0.0593), 10: (0.2627, 0.0593)}
BT601 = (0.299, 0.114)


class Colours(NamedTuple):
    """The meaning of a frame's values: pixel format, AVColorSpace, AVColorRange."""

    format: str
    space: int
    range: int

    @classmethod
    def of(cls, frame: VideoFrame) -> "Colours":
        """A frame's."""
        return cls(frame.format.name, frame.colorspace, frame.color_range)


@cache
def to_rgb(colours: Colours) -> np.ndarray:
    """The matrix from Y, U, V and 1 to red, green, blue, all from 0 to 255: float64 `3 4`."""
    red, blue = WEIGHTS.get(colours.space, BT601)
    green = 1 - red - blue
    black, y, chroma = (0, 1.0, 1.0) if _is_full(colours) else (16, 255 / 219, 255 / 224)
    u, v = 2 * (1 - blue) * chroma, 2 * (1 - red) * chroma
    factors = np.array([[y, 0, v], [y, -u * blue / green, -v * red / green], [y, u, 0]])
    return np.column_stack([factors, -factors @ [black, 128, 128]])


def _is_full(colours: Colours) -> bool:
    return colours.range == FULL or colours.format.startswith("yuvj")


def rgb_frames(frames: Iterable[VideoFrame], size: int | None) -> Iterator[np.ndarray]:
    """Frames in RGB, resized without keeping the aspect ratio: uint8 `n size size 3` each time, n at most `BATCH`.

    Frames may differ in size, format and colours.

    Args:
        size: in pixels; None keeps each frame's own, `1 H W 3` each time.
    """
    cv2.setNumThreads(1)  # one process per file
    if size is None:
        yield from (part for frame in frames for part in _resized_batches([frame], (frame.height, frame.width), 1))
    else:
        yield from _resized_batches(frames, (size, size), BATCH)


def _resized_batches(frames: Iterable[VideoFrame], shape: tuple[int, int], batch: int) -> Iterator[np.ndarray]:
    """Frames at one height and width, uint8 `n height width 3` each time, n at most `batch`."""
    height, width = shape
    reformatter = VideoReformatter()
    # Reused: allocating memory for each batch costs a tenth of the whole time.
    planes, merged = np.empty((3, batch, height, width), np.uint8), np.empty((batch * height, width, 3), np.uint8)
    blurred: dict[tuple[int, ...], np.ndarray] = {}
    count, before = 0, None
    for frame in frames:
        colours = Colours.of(frame)
        if colours.format not in PLANAR:  # 10 bits, RGB, grey
            frame = reformatter.reformat(frame, format="yuv444p", dst_color_range="MPEG")
            colours = Colours.of(frame)
        if before and (count == batch or colours != before):
            yield _rgb(planes[:, :count], merged, before)
            count = 0
        before = colours
        for plane, place in zip(frame.planes, planes[:, count], strict=True):
            _resize(_values(plane), place, blurred)
        count += 1
    if before:
        yield _rgb(planes[:, :count], merged, before)


def resized(frames: np.ndarray, size: int) -> np.ndarray:
    """Resize RGB frames `T H W 3` uint8 to `T size size 3`, as `rgb_frames` up to rounding."""
    if frames.shape[1:3] == (size, size):
        return frames
    made = np.empty((len(frames), size, size, 3), np.uint8)
    blurred: dict[tuple[int, ...], np.ndarray] = {}
    for frame, place in zip(np.ascontiguousarray(frames), made, strict=True):
        _resize(frame, place, blurred)
    return made


def thumbnail(frame: VideoFrame, size: int) -> np.ndarray:
    """A frame in grey, from 0 to 255, not turned upright: float32 `size size`."""
    colours = Colours.of(frame)
    if colours.format not in PLANAR:
        frame = VideoReformatter().reformat(frame, format="yuv444p", dst_color_range="MPEG")
        colours = Colours.of(frame)
    small = cv2.resize(_values(frame.planes[0]), (size, size), interpolation=cv2.INTER_AREA).astype(np.float32)
    return small if _is_full(colours) else (small - 16) * (255 / 219)


def rgb_thumbnail(frame: np.ndarray, size: int) -> np.ndarray:
    """An RGB frame `H W 3` in grey, as `thumbnail` up to rounding."""
    return cv2.resize(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), (size, size), interpolation=cv2.INTER_AREA).astype(
        np.float32
    )


def _values(plane: VideoPlane) -> np.ndarray:
    """A plane's memory as uint8 `H W`, not copied."""
    shape = (plane.height, plane.width)
    return np.ndarray(shape, np.uint8, memoryview(plane), 0, (plane.line_size, 1))


def _resize(source: np.ndarray, place: np.ndarray, blurred: dict[tuple[int, ...], np.ndarray]) -> None:
    """Resize `H W` or `H W C` uint8 into `place`, blurred by a box filter against aliasing.

    A box filter costs the same at any width; one of even width would shift the picture by half a pixel.

    Args:
        blurred: buffers by shape, reused from frame to frame.
    """
    (height, width), (to_height, to_width) = source.shape[:2], place.shape[:2]
    # The odd numbers nearest to the ratios.
    across, down = width // (2 * to_width) * 2 + 1, height // (2 * to_height) * 2 + 1
    if across > 1 or down > 1:
        if source.shape not in blurred:
            blurred[source.shape] = np.empty(source.shape, np.uint8)
        source = cv2.blur(source, (across, down), blurred[source.shape], borderType=cv2.BORDER_REPLICATE)
    cv2.resize(source, (to_width, to_height), place)


def _rgb(planes: np.ndarray, merged: np.ndarray, colours: Colours) -> np.ndarray:
    """uint8 `3 n H W` to RGB `n H W 3`, by way of the first rows of `merged`."""
    _, count, height, width = planes.shape
    merged = merged[: count * height]
    cv2.merge([plane.reshape(count * height, width) for plane in planes], merged)
    return np.asarray(cv2.transform(merged, to_rgb(colours)), np.uint8).reshape(count, height, width, 3)
