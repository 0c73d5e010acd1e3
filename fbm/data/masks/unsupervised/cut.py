"""Where to cut the votes: the cut whose mask is the best object."""

from dataclasses import dataclass

import numpy as np

from fbm.data.masks.unsupervised.consensus import Neighbours

CUTS = np.arange(0.2, 0.91, 0.05)  # from the median vote (0) to the highest (1)
FEWEST = 0.01  # least share of votes that leave, or a mask of one region that nothing looks like would be best
CLEAR = 0.5  # confidence ...


@dataclass(frozen=True)
class Cut:
    """The chosen cut.

    Attributes:
        level: regions of a higher vote are foreground.
        score: how much the foreground is an object, see `best_cut`.
        kept: share of the foreground's votes that stay in it.
        contrast: of the motion evidence across the foreground's boundary, as a share of the highest evidence.
    """

    level: float
    score: float
    kept: float
    contrast: float


def best_cut(
    votes: np.ndarray,
    evidence: np.ndarray,
    colours: np.ndarray,
    grid: tuple[int, int],
    neighbours: Neighbours,
    low: float,
    high: float,
) -> Cut:
    """The cut with the highest score: contrast of colour, times contrast of motion, over the share of votes that leave.

    Contrasts are means over pairs of adjacent regions on either side of the mask's boundary, relative to all pairs
    (colour) or to the highest evidence (motion). An object has edges, and the regions in it look alike: its wake and
    its smoke blur into what is around.

    Args:
        votes: `T R`.
        evidence: `T R`.
        colours: `T R 3`.
        grid: rows and columns, whose product is R.
        low, high: the votes between which to cut.
    """
    first, second = _pairs(grid)
    edges = np.linalg.norm(colours[:, first] - colours[:, second], axis=-1)
    steps = np.abs(evidence[:, first] - evidence[:, second])
    common, highest = float(edges.mean()) + 1e-6, float(np.quantile(evidence, 0.99)) + 1e-6
    best = Cut(low + 0.5 * (high - low), 0.0, 0.0, 0.0)
    for share in CUTS:
        level = low + share * (high - low)
        inside = votes > level
        boundary = inside[:, first] != inside[:, second]
        if not boundary.any():
            continue
        contrast, kept = float(steps[boundary].mean()) / highest, 1 - neighbours.leaving(inside.ravel())
        score = float(edges[boundary].mean()) / common * contrast / (1 - kept + FEWEST)
        if score > best.score:
            best = Cut(level, score, kept, contrast)
    return best


def _pairs(grid: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Adjacent regions, also across corners: the first and the second of each pair."""
    at = np.arange(grid[0] * grid[1]).reshape(grid)
    first = (at[:, :-1], at[:-1], at[:-1, :-1], at[:-1, 1:])
    second = (at[:, 1:], at[1:], at[1:, 1:], at[1:, :-1])
    return np.concatenate([part.ravel() for part in first]), np.concatenate([part.ravel() for part in second])
