"""Frames in, masks out: saliency of motion, regions, consensus, and the pixels of each mask."""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from fbm.data.masks.unsupervised.consensus import consensus
from fbm.data.masks.unsupervised.motion import saliency
from fbm.data.masks.unsupervised.refine import drop_small, follow_edges
from fbm.data.masks.unsupervised.regions import NARROWEST, regions_of
from fbm.data.masks.unsupervised.settings import Settings

PIECE_FRAMES, PIECE_PIXELS = 600, 30_000_000  # what is looked at as a whole: bounds the memory to about a gigabyte
RADIUS = 3  # pixels, at least, of the windows in which a mask follows the frame's edges; else half a region's width


def segment(frames: np.ndarray, settings: Settings | None = None) -> np.ndarray:
    """Masks of what moves unlike the camera, of one video.

    A long video is cut into equal pieces of at most 600 frames (about 290 at the full working size), each a video of
    its own, so the memory is bounded whatever the length.

    Args:
        frames: uint8 `T H W 3` in RGB, of any size; may be memory-mapped.

    Returns:
        bool `T H W`, True on foreground; empty where nothing moves, and for a single frame.
    """
    settings = settings or Settings()
    count, height, width = frames.shape[:3]
    size = working_size(height, width, settings)
    masks = np.empty((count, height, width), dtype=bool)
    start = 0
    for length in pieces(count, size):
        small = [scaled(frame, size) for frame in frames[start : start + length]]
        for number, mask in enumerate(piece_masks(small, (height, width), settings), start):
            masks[number] = mask
        start += length
    return masks


def working_size(height: int, width: int, settings: Settings) -> tuple[int, int]:
    """Height and width that frames of this size are worked at."""
    scale = min(1.0, (settings.area / (height * width)) ** 0.5)
    return max(1, round(height * scale)), max(1, round(width * scale))


def pieces(count: int, size: tuple[int, int]) -> list[int]:
    """Lengths of the pieces that a video of `count` frames is cut into, equal but for one frame."""
    longest = max(2, min(PIECE_FRAMES, PIECE_PIXELS // (size[0] * size[1])))
    number = -(-count // longest)
    return [count // number + (piece < count % number) for piece in range(number)]


def scaled(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A frame at its working size."""
    if frame.shape[:2] == size:
        return np.ascontiguousarray(frame)
    return cv2.resize(frame, size[::-1], interpolation=cv2.INTER_AREA)


def piece_masks(small: Sequence[np.ndarray], shape: tuple[int, int], settings: Settings) -> Iterator[np.ndarray]:
    """The masks of one piece in order, each bool of `shape` (height, width).

    Args:
        small: uint8 `H W 3` each, at their working size.
    """
    if len(small) < 2:
        yield from (np.zeros(shape, dtype=bool) for _ in small)
        return
    height, width = small[0].shape[:2]
    wide = max(NARROWEST, settings.region * (height * width / settings.area) ** 0.5)
    regions = [regions_of(frame, wide, settings.place) for frame in small]
    moving = saliency(small, settings)
    first = np.concatenate([here.mean(salient) for here, salient in zip(regions, moving, strict=True)])
    del moving
    votes = consensus(first, np.concatenate([here.descriptors for here in regions]), settings)
    level = _level(votes, settings)
    for frame, here, voted in zip(small, regions, np.split(votes, len(regions)), strict=True):
        smooth = follow_edges(voted.astype(np.float32)[here.labels], frame, max(RADIUS, round(wide / 2)))
        if smooth.shape != shape:
            smooth = cv2.resize(smooth, shape[::-1], interpolation=cv2.INTER_LINEAR)
        yield drop_small(smooth > level, settings.smallest)


def _level(votes: np.ndarray, settings: Settings) -> float:
    """What a vote must be above to count; infinite where nothing moves."""
    highest = float(np.quantile(votes, settings.highest))
    if highest < settings.least:
        return float("inf")
    return settings.cut * highest + (1 - settings.cut) * float(np.median(votes))
