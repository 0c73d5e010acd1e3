"""Where to cut the votes: every cut counts as much as its mask is an object."""

from dataclasses import dataclass

import numpy as np

from fbm.data.masks.unsupervised.consensus import Neighbours

CUTS = np.arange(0.2, 0.91, 0.05)  # from the median vote (0) to the highest (1)
FEWEST = 0.01  # least share of votes that leave, or a mask whose regions only look like each other would be all


@dataclass(frozen=True)
class Cuts:
    """The masks of several cuts, one after the other.

    Attributes:
        shares: float32 `T R`, in [0, 1]: the part of the cuts, by weight, that has a region in the foreground.
        kept: share of the foreground's votes that stay in it, of the best cut.
        contrast: of the evidence across the foreground's boundary, against the highest evidence, of the best cut.
    """

    shares: np.ndarray
    kept: float
    contrast: float


def weigh_cuts(
    votes: np.ndarray,
    evidence: np.ndarray,
    colours: np.ndarray,
    grid: tuple[int, int],
    neighbours: Neighbours,
    span: tuple[float, float],
    power: float,
) -> Cuts:
    """Masks at several cuts, weighted by a power of their score: contrast of colour, times contrast of evidence, over
    the share of votes that leave the mask (the normalised cut of Shi and Malik, PAMI 2000).

    Contrasts are means over the pairs of adjacent regions on either side of the mask's boundary, relative to all pairs
    (colour) or to the highest evidence. An object has edges, and its regions look alike; a wake or smoke blurs into
    what is around. Averaging rather than taking the best keeps two cuts of nearly the same score from deciding
    between two quite different masks.

    Args:
        votes: `T R`.
        evidence: `T R`.
        colours: `T R 3`.
        grid: rows and columns, whose product is R.
        span: the votes between which to cut.
        power: of the score.
    """
    first, second = _pairs(grid)
    edges = np.linalg.norm(colours[:, first] - colours[:, second], axis=-1)
    steps = np.abs(evidence[:, first] - evidence[:, second])
    common, highest = float(edges.mean()) + 1e-6, float(np.quantile(evidence, 0.99)) + 1e-6
    shares, total, best = np.zeros(votes.shape, np.float32), 0.0, (0.0, 0.0, 0.0)
    for cut in CUTS:
        inside = votes > span[0] + cut * (span[1] - span[0])
        boundary = inside[:, first] != inside[:, second]
        if not boundary.any():
            continue
        contrast, leaving = float(steps[boundary].mean()) / highest, neighbours.leaving(inside.ravel())
        score = float(edges[boundary].mean()) / common * contrast / (leaving + FEWEST)
        shares += np.float32(score**power) * inside
        total += score**power
        best = max(best, (score, 1 - leaving, contrast))
    return Cuts(shares / np.float32(total or 1), best[1], best[2])


def _pairs(grid: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Adjacent regions, also across corners: the first and the second of each pair."""
    at = np.arange(grid[0] * grid[1]).reshape(grid)
    first = (at[:, :-1], at[:-1], at[:-1, :-1], at[:-1, 1:])
    second = (at[:, 1:], at[1:], at[1:, 1:], at[1:, :-1])
    return np.concatenate([part.ravel() for part in first]), np.concatenate([part.ravel() for part in second])
