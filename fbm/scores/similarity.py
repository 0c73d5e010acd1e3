"""How similar two parts are, without factors."""

import numpy as np
import numpy.typing as npt

from fbm.scores import checks
from fbm.scores.checks import Array


def linear_cka(x: npt.ArrayLike, y: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Array:
    """Linear centred kernel alignment (Kornblith et al., 2019) of two parts of the same N clips.

    ||Y'X||^2 / (||X'X|| ||Y'Y||), Frobenius norms of centred features: 1 for the same up to rotation and scale, 0 for
    uncorrelated ones, and where a part is constant. With few clips even unrelated features are above 0.

    Args:
        x, y: `N D` and `N E`.
        weights: how often each clip counts, `... N`; None is once each. The result has their leading shape.

    Raises:
        ValueError: not such numbers or shapes.
    """
    one, other = checks.features("x", x), checks.features("y", y)
    if len(one) != len(other):
        raise ValueError(f"x and y must be of the same clips, not of {len(one)} and {len(other)}")
    counts = checks.weights(weights, len(one))
    k, m = _gram(one), _gram(other)
    apart = np.sqrt(_hsic(k, k, counts) * _hsic(m, m, counts))
    small = np.finfo(float).eps * len(one)
    return np.asarray(np.where(apart > small, _hsic(k, m, counts) / np.where(apart > small, apart, 1), 0.0)).clip(0, 1)


def _gram(features: Array) -> Array:
    """Products of all pairs of centred clips, `N N`, scaled to a mean square length of 1."""
    centred = features - features.mean(0)
    length = np.sqrt((centred**2).sum() / len(features))
    near = length <= 1e-12 * max(1.0, float(np.abs(features).max()))
    scaled = np.zeros_like(centred) if near else centred / length
    return np.asarray(scaled @ scaled.T)


def _hsic(k: Array, m: Array, weights: Array) -> Array:
    """Sum of products of two Gram matrices, each centred at the weighted mean, over all pairs of weighted clips."""
    total = weights.sum(-1)
    by_k, by_m = weights @ k, weights @ m
    raw = ((weights @ (k * m)) * weights).sum(-1)
    rows = (weights * by_k * by_m).sum(-1)
    means = (by_k * weights).sum(-1) * (by_m * weights).sum(-1)
    return np.asarray(raw - 2 * rows / total + means / total**2)
