"""Frames in, masks out: evidence of motion, regions, votes, the cuts that make objects, and the pixels of each mask."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, repeat

import cv2
import numpy as np

from fbm.data.masks.unsupervised.consensus import neighbours_of, vote
from fbm.data.masks.unsupervised.cut import Cuts, weigh_cuts
from fbm.data.masks.unsupervised.motion import evidence
from fbm.data.masks.unsupervised.refine import drop_small, follow_edges
from fbm.data.masks.unsupervised.regions import NARROWEST, Regions, regions_of
from fbm.data.masks.unsupervised.settings import Settings

PIECE_FRAMES, PIECE_PIXELS = 600, 30_000_000  # what is looked at as a whole: bounds the memory to about a gigabyte
MIDDLE = 0.12  # frame heights from the frame's edge to where its evidence counts in full, nearly
AGAIN = 3  # rounds in which regions vote on their shares of foreground
DOUBT = 0.05  # product of the parts of a confidence of one half
RADIUS = 2  # pixels, at least, of the windows in which a mask follows the frame's edges; else half a region's width


@dataclass(frozen=True)
class Piece:
    """The masks of a piece of a video in order, bool `H W` each, and how sure they are, from 0 to 1."""

    masks: Iterator[np.ndarray]
    confidence: float


def segment(frames: np.ndarray, settings: Settings | None = None) -> tuple[np.ndarray, float]:
    """Masks of what moves unlike the camera, of one video, and how sure they are.

    A long video is cut into equal pieces of at most 600 frames (about 520 at the full working size), each a video of
    its own, so the memory is bounded whatever the length.

    Args:
        frames: uint8 `T H W 3` in RGB, of any size; may be memory-mapped.

    Returns:
        Masks, bool `T H W`, True on foreground, empty where nothing moves, and for a single frame; and the confidence
        from 0 to 1, the mean over the frames of their pieces'.
    """
    count = len(frames)
    masks = np.empty(frames.shape[:3], dtype=bool)
    start, sure = 0, 0.0
    for small, piece in segmented(iter(frames), count, settings or Settings()):
        for number, mask in enumerate(piece.masks, start):
            masks[number] = mask
        start += len(small)
        sure += piece.confidence * len(small) / count
    return masks, sure


def segmented(frames: Iterator[np.ndarray], count: int, settings: Settings) -> Iterator[tuple[list[np.ndarray], Piece]]:
    """The frames of each piece at their working size, and its masks at the video's.

    Args:
        count: of the frames, as far as it is known: a container's is only a hint.
    """
    first = next(frames, None)
    if first is None:
        return
    shape = first.shape[0], first.shape[1]
    size = working_size(*shape, settings)
    every = chain([first], frames)
    for length in chain(pieces(count, size), repeat(pieces(2, size)[0])):
        small = [scaled(frame, size) for frame in islice(every, length)]
        if not small:
            return
        yield small, piece_masks(small, shape, settings)


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


def piece_masks(small: Sequence[np.ndarray], shape: tuple[int, int], settings: Settings) -> Piece:
    """The masks of one piece.

    Args:
        small: uint8 `H W 3` each, at their working size.
        shape: height and width of the masks.
    """
    nothing = Piece((np.zeros(shape, dtype=bool) for _ in small), 0.0)
    if len(small) < 2:
        return nothing
    height, width = small[0].shape[:2]
    wide = max(NARROWEST, settings.region * settings.scale(height, width))
    regions = [regions_of(frame, wide, settings.place) for frame in small]
    inside = np.stack([here.inside for here in regions])
    prior = 1 - (1 - settings.border) * np.exp(-((inside / MIDDLE) ** 2))
    moving = prior * evidence(small, regions, settings)
    neighbours = neighbours_of(np.concatenate([here.descriptors for here in regions]), settings.neighbours)
    votes = vote(moving.ravel(), neighbours, settings.rounds)
    low, high = float(np.median(votes)), float(np.quantile(votes, settings.highest))
    if high < settings.least:
        return nothing
    colours = np.stack([here.colours for here in regions])
    cuts = weigh_cuts(
        votes.reshape(moving.shape), moving, colours, regions[0].grid, neighbours, (low, high), settings.power
    )
    shares = vote(cuts.shares.ravel(), neighbours, AGAIN).reshape(moving.shape)
    radius = max(RADIUS, round(wide / 2))
    return Piece(_drawn(small, regions, shares.astype(np.float32), shape, radius, settings), confidence(cuts, high))


def _drawn(
    small: Sequence[np.ndarray],
    regions: Sequence[Regions],
    shares: np.ndarray,
    shape: tuple[int, int],
    radius: int,
    settings: Settings,
) -> Iterator[np.ndarray]:
    """The masks, bool of `shape`, of regions with these shares of foreground, float32 `T R`."""
    for frame, here, share in zip(small, regions, shares, strict=True):
        smooth = follow_edges(share[here.labels], frame, radius)
        if smooth.shape != shape:
            smooth = cv2.resize(smooth, shape[::-1], interpolation=cv2.INTER_LINEAR)
        yield drop_small(smooth, settings.cut, settings.smallest)


def confidence(cuts: Cuts, high: float) -> float:
    """How sure masks are, from 0 to 1.

    It is the product of the highest vote (does anything move, and reliably?), of the share of votes that stay in the
    foreground (does it look unlike the rest?), and of the contrast of evidence across its boundary (does the motion
    end there?), put on a scale on which `DOUBT` is a half.
    """
    product = high * cuts.kept * cuts.contrast
    return product / (product + DOUBT)
