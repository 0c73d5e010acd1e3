"""Information in nats: what a classifier shows of a factor, and what two views of the same clips share."""

import numpy as np
import numpy.typing as npt

from fbm.scores import checks
from fbm.scores.checks import Array

LARGEST = 0.999  # correlation that counts, so that no single dimension decides: 3.1 nats


def usable_information(
    log_probability: npt.ArrayLike, labels: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> Array:
    """The share of a factor's entropy that a classifier shows: 1 - cross entropy / entropy, at least 0.

    Cross entropy is at least the entropy given the features, so this is a lower bound of their mutual information,
    divided by the entropy as in the mutual information gap (Chen et al., 2018).

    Args:
        log_probability: natural logarithm of the probability that the classifier gives each clip's label, `N`.
        labels: `N`, numbers or text, of two values or more.
        weights: how often each clip counts, `... N`; None is once each. The result has their leading shape; it is 0
            where they leave a single value.

    Raises:
        ValueError: not such numbers or shapes.
    """
    given = checks.finite("log_probability", log_probability)
    values, place = np.unique(np.asarray(labels), return_inverse=True)
    if given.ndim != 1 or place.shape != given.shape or len(values) < 2:
        raise ValueError(
            f"log_probability and labels must be `N` with two labels or more, not {given.shape} and {place.shape} "
            f"with {len(values)}"
        )
    if given.max() > checks.ROUNDING:
        raise ValueError(f"log_probability must be at most 0, not {given.max():g}")
    counts = checks.weights(weights, len(given))
    total = counts.sum(-1)
    parts = (counts @ np.eye(len(values))[place]) / total[..., None]
    entropy = -(parts * np.log(np.where(parts > 0, parts, 1))).sum(-1)
    known = entropy > 0
    share = 1 + counts @ given / total / np.where(known, entropy, 1)
    return np.where(known, share, 0.0).clip(0, 1)


def gaussian_information(x: npt.ArrayLike, y: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Array:
    """Mutual information that two views of the same N clips share, mean over dimensions: -log(1 - r^2) / 2 nats.

    r is the correlation of a dimension in the one and in the other, as if they were jointly Gaussian; negative ones
    and those of constant dimensions count as 0, none as more than 0.999.

    Args:
        x, y: `N D` each.
        weights: how often each clip counts, `... N`; None is once each. The result has their leading shape.

    Raises:
        ValueError: not such numbers or shapes.
    """
    one, other = checks.features("x", x), checks.features("y", y)
    if one.shape != other.shape:
        raise ValueError(f"x and y must be of the same clips and dimensions, not {one.shape} and {other.shape}")
    counts = checks.weights(weights, len(one))
    counts = counts / counts.sum(-1, keepdims=True)
    one, other = _standardised(one), _standardised(other)
    means = counts @ one, counts @ other
    spread = np.sqrt((counts @ one**2 - means[0] ** 2).clip(0) * (counts @ other**2 - means[1] ** 2).clip(0))
    varies = spread > 1e-9
    correlation = (counts @ (one * other) - means[0] * means[1]) / np.where(varies, spread, 1)
    shared = np.where(varies, correlation, 0).clip(0, LARGEST)
    return np.asarray((-0.5 * np.log1p(-(shared**2))).mean(-1))


def dynamic_share(
    features: npt.ArrayLike,
    same_appearance: npt.ArrayLike,
    same_motion: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
) -> Array:
    """How far features hold motion rather than appearance, 0 to 1, without labels (after Kowal et al., 2022).

    The information shared with clips of the same motion, over that plus the information shared with clips of the same
    appearance. NaN where neither shares any.

    Args:
        features: of N clips, `N D`.
        same_appearance: of the clips with their frames in another order.
        same_motion: of the clips in other colours.
        weights: how often each clip counts, `... N`; None is once each. The result has their leading shape.

    Raises:
        ValueError: not such numbers or shapes.
    """
    static = gaussian_information(features, same_appearance, weights)
    dynamic = gaussian_information(features, same_motion, weights)
    total = static + dynamic
    return np.asarray(np.where(total > 0, dynamic / np.where(total > 0, total, 1), np.nan))


def _standardised(features: Array) -> Array:
    """Mean 0 and variance 1 in every dimension; constant ones are 0."""
    centred = features - features.mean(0)
    deviation = centred.std(0)
    near = deviation <= 1e-12 * np.maximum(1, np.abs(features).max(0))
    return np.asarray(np.where(near, 0, centred / np.where(near, 1, deviation)))
