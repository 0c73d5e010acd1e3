"""Superpixels and their descriptors."""

from dataclasses import dataclass

import cv2
import numpy as np
from skimage.segmentation import slic
from skimage.util import regular_grid

COMPACT = 10.0  # weight of the place: this difference in Lab weighs as much as the width of a region
STEPS = 3  # of clustering
BINS = 8  # of each channel's histogram
RANGES = ((0, 255), (100, 160), (90, 170))  # of L, a and b as OpenCV stores them; few colours are outside
NARROWEST = 4.0  # pixels: the least width of a region


@dataclass(frozen=True)
class Regions:
    """One frame's regions, n of them, the same in every frame of a size.

    Attributes:
        labels: int32 `H W`, the region of each pixel.
        areas: int `n`, pixels; a region may have none.
        descriptors: float32 `n D`: roots of the colour histograms of a region and of what surrounds it, and its place.
        colours: float32 `n 3`, the mean in Lab.
        inside: float32 `n`, how far from the frame's edge a region's centre is, in frame heights.
        grid: rows and columns that the regions began as; neighbours in it are neighbours in the frame.
    """

    labels: np.ndarray
    areas: np.ndarray
    descriptors: np.ndarray
    colours: np.ndarray
    inside: np.ndarray
    grid: tuple[int, int]


def regions_of(frame: np.ndarray, width: float, place: float) -> Regions:
    """Cut one frame, uint8 `H W 3`, into regions about `width` pixels wide; `place` weighs their positions."""
    lab = cv2.cvtColor(frame, cv2.COLOR_RGB2LAB).astype(np.float32)
    height, length = lab.shape[:2]
    wanted = max(1, round(height * length / width**2))
    # SLIC begins with this grid; its regions keep their order.
    grid = regular_grid((height, length), wanted)
    rows, columns = (len(range(*cut.indices(side))) for cut, side in zip(grid, (height, length), strict=True))
    scale = float(np.ptp(lab)) or 1.0  # slic stretches what it is given to [0, 1]
    labels = slic(
        lab, wanted, COMPACT / scale, STEPS, convert2lab=False, enforce_connectivity=False, start_label=0
    ).astype(np.int32)
    regions = labels.ravel()
    areas = np.bincount(regions, minlength=rows * columns)
    colours = _histograms(lab.reshape(-1, 3), regions, rows * columns)
    around = cv2.merge(
        [cv2.boxFilter(part, -1, (3, 3), normalize=False) for part in cv2.split(colours.reshape(rows, columns, -1))]
    ).reshape(colours.shape)
    y, x = np.mgrid[:height, :length] / length  # in frame widths
    sums = np.stack([np.bincount(regions, axis.ravel(), rows * columns) for axis in (x, y)], axis=1)
    positions = sums / np.maximum(areas, 1)[:, None]
    parts = (2 * _root_shares(colours), 2 * _root_shares(around), place * positions)
    means = np.stack([np.bincount(regions, part.ravel(), rows * columns) for part in cv2.split(lab)], axis=1)
    return Regions(
        labels,
        areas,
        np.concatenate(parts, axis=1).astype(np.float32),
        (means / np.maximum(areas, 1)[:, None]).astype(np.float32),
        _inside(positions * length, height, length),
        (rows, columns),
    )


def _inside(centres: np.ndarray, height: int, width: int) -> np.ndarray:
    """Distance of `n 2` centres (x, y, pixels) from the frame's nearest edge, in frame heights, float32 `n`."""
    x, y = centres.T
    return (np.minimum.reduce([x, width - x, y, height - y]) / height).astype(np.float32)  # type: ignore[no-any-return]


def _histograms(lab: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """Float32 `n 3*BINS`: pixels of each region in each bin, a pixel shared by the two bins nearest to it."""
    found = []
    for channel, (low, high) in enumerate(RANGES):
        position = np.clip((lab[:, channel] - low) * ((BINS - 1) / (high - low)), 0, BINS - 1.001)
        bins = position.astype(np.intp)
        upper, place = position - bins, labels * BINS + bins
        counts = np.bincount(place, 1 - upper, count * BINS) + np.bincount(place + 1, upper, count * BINS)
        found.append(counts.reshape(count, BINS))
    return np.concatenate(found, axis=1).astype(np.float32)


def _root_shares(histograms: np.ndarray) -> np.ndarray:
    """Roots of the shares: their distance is Hellinger's, in which few pixels of another colour count."""
    return np.sqrt(histograms / (histograms.sum(1, keepdims=True) + 1e-6))  # type: ignore[no-any-return]
