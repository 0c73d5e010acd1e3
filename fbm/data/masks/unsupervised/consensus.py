"""Regions of similar appearance and position vote on each other, over the whole video."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import KDTree

DIMENSIONS = 10  # principal components of the descriptors that are compared
OWN = 0.5  # share of a region's own vote in each round
SLACK = 1.0  # a neighbour may be this much (of the distance) farther than the nearest: twice as fast, as good


@dataclass(frozen=True)
class Neighbours:
    """For each region of a video, the regions of all frames that look most like it at about the same place.

    Attributes:
        others: int32 `N k`.
        weights: float32 `N k`, which sum to one.
    """

    others: np.ndarray
    weights: np.ndarray

    def mean(self, values: np.ndarray) -> np.ndarray:
        """The mean of `N` values over each region's neighbours."""
        return np.einsum("nk,nk->n", self.weights, values[self.others])  # type: ignore[no-any-return]

    def leaving(self, inside: np.ndarray) -> float:
        """The share of the votes of the regions in bool `N` that go out of them: Shi and Malik's normalised cut."""
        kept = (self.weights[inside] * inside[self.others[inside]]).sum(1)
        return 1 - float(kept.mean())


def neighbours_of(descriptors: np.ndarray, count: int) -> Neighbours:
    """The `count` nearest others of each region by its descriptor, float32 `N D`, at least two of them."""
    points = _principal(descriptors)
    count = min(count, len(points) - 1)
    tree = KDTree(points)
    others, distances = np.empty((len(points), count), np.int32), np.empty((len(points), count), np.float32)
    for start in range(0, len(points), 2**16):  # the tree's answer is 64 bits each
        here = slice(start, start + 2**16)
        found, which = tree.query(points[here], count + 1, eps=SLACK)
        distances[here], others[here] = np.asarray(found)[:, 1:], np.asarray(which)[:, 1:]  # the first is the point
    reach = float(np.median(distances[:, -1])) + 1e-6
    weights = np.exp(-((distances / reach) ** 2) / 2)
    return Neighbours(others, weights / (weights.sum(1, keepdims=True) + 1e-12))


def _principal(descriptors: np.ndarray) -> np.ndarray:
    """The descriptors along their `DIMENSIONS` main directions."""
    centred = descriptors - descriptors.mean(0)
    _, directions = np.linalg.eigh(centred.T @ centred)
    return centred @ directions[:, -DIMENSIONS:]  # type: ignore[no-any-return]


def vote(votes: np.ndarray, neighbours: Neighbours, rounds: int) -> np.ndarray:
    """Votes, float `N`, after rounds in which a region moves half way to the mean of its neighbours (Faktor and Irani,
    BMVC 2014).
    """
    for _ in range(rounds):
        votes = OWN * votes + (1 - OWN) * neighbours.mean(votes)
    return votes
