"""Regions of similar appearance and position vote on each other, over the whole video."""

import numpy as np
from scipy.spatial import KDTree

from fbm.data.masks.unsupervised.settings import Settings

DIMENSIONS = 10  # principal components of the descriptors that are compared
OWN = 0.5  # share of a region's own vote in each round
SLACK = 1.0  # a neighbour may be this much (of the distance) farther than the nearest: twice as fast, as good


def consensus(votes: np.ndarray, descriptors: np.ndarray, settings: Settings) -> np.ndarray:
    """Votes after a few rounds, in each of which a region moves half way to the mean of its neighbours.

    Args:
        votes: float `N`, of every region of every frame.
        descriptors: float32 `N D`.

    Returns:
        float `N`.
    """
    if len(votes) < 2 or not settings.rounds:
        return votes
    others, weights = _neighbours(_principal(descriptors), min(settings.neighbours, len(votes) - 1))
    for _ in range(settings.rounds):
        votes = OWN * votes + (1 - OWN) * (weights * votes[others]).sum(1)
    return votes


def _principal(descriptors: np.ndarray) -> np.ndarray:
    """The descriptors along their `DIMENSIONS` main directions."""
    centred = descriptors - descriptors.mean(0)
    _, directions = np.linalg.eigh(centred.T @ centred)
    return centred @ directions[:, -DIMENSIONS:]  # type: ignore[no-any-return]


def _neighbours(points: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The `count` nearest others of each point, int32 `N count`, and their weights, float32, which sum to one."""
    tree = KDTree(points)
    others, distances = np.empty((len(points), count), np.int32), np.empty((len(points), count), np.float32)
    for start in range(0, len(points), 2**16):  # the tree's answer is 64 bits each
        here = slice(start, start + 2**16)
        found, which = tree.query(points[here], count + 1, eps=SLACK)
        distances[here], others[here] = np.asarray(found)[:, 1:], np.asarray(which)[:, 1:]  # the first is the point
    reach = float(np.median(distances[:, -1])) + 1e-6
    weights = np.exp(-((distances / reach) ** 2) / 2)
    return others, weights / (weights.sum(1, keepdims=True) + 1e-12)
