"""Scores of a table R, `... P F`: how far above chance each of F factors is read off each of P parts, in 0..1.

Leading dimensions are tables of their own, for example those of resampled clips; a score has their shape.
"""

import numpy as np
import numpy.typing as npt

from fbm.scores import checks
from fbm.scores.checks import Array


def above_chance(accuracy: npt.ArrayLike, chance: npt.ArrayLike) -> Array:
    """The share of what is above chance: (accuracy - chance) / (1 - chance), at least 0.

    Args:
        accuracy: in 0..1, `... P F` or any shape.
        chance: of each factor, in 0..1 without 1; of a shape that broadcasts to `accuracy`, such as `F`.

    Raises:
        ValueError: not such numbers or shapes.
    """
    accuracies, chances = checks.shares("accuracy", accuracy), checks.finite("chance", chance)
    if chances.min() < 0 or chances.max() >= 1:
        raise ValueError(
            f"chance must be at least 0 and below 1, not {chances.min():g} to {chances.max():g}: a factor that is "
            "always the same cannot be scored"
        )
    try:
        above: Array = (accuracies - chances) / (1 - chances)
    except ValueError as error:
        raise ValueError(f"chance {chances.shape} does not fit accuracy {accuracies.shape}") from error
    if above.shape != accuracies.shape:
        raise ValueError(f"chance {chances.shape} does not fit accuracy {accuracies.shape}")
    return above.clip(0)


def informativeness(whole: npt.ArrayLike) -> Array:
    """Mean over factors of what the whole feature says of each, `... F` of shares above chance.

    Eastwood and Williams (2018) give the error of predicting each factor from the whole code; this is its complement.
    """
    held = checks.shares("the whole feature's shares", whole)
    if held.ndim < 1:
        raise ValueError("the whole feature's shares must be `... factors`, not one number")
    return np.asarray(held.mean(-1))


def disentanglement_of_parts(table: npt.ArrayLike) -> Array:
    """D of each part, `... P` (Eastwood and Williams, 2018): 1 if it holds one factor alone, 0 if all equally.

    1 minus the entropy, to base F, of the part's row divided by its sum; 0 for a part that holds nothing.
    """
    return _concentration(checks.table(table))


def disentanglement(table: npt.ArrayLike) -> Array:
    """DCI's D: the mean of `disentanglement_of_parts`, weighted by what each part holds; 0 if nothing is held."""
    rows = checks.table(table)
    return _weighted(_concentration(rows), rows.sum(-1))


def completeness_of_factors(table: npt.ArrayLike) -> Array:
    """C of each factor, `... F` (Eastwood and Williams, 2018): 1 if one part alone holds it, 0 if all do equally."""
    return _concentration(checks.table(table).swapaxes(-1, -2))


def completeness(table: npt.ArrayLike) -> Array:
    """DCI's C: the mean of `completeness_of_factors`, weighted by how much is held of each factor."""
    columns = checks.table(table).swapaxes(-1, -2)
    return _weighted(_concentration(columns), columns.sum(-1))


def gap(table: npt.ArrayLike) -> Array:
    """Mean over factors of the best part's entry minus the second best's.

    Of accuracies above chance this is the SAP score (Kumar et al., 2018), of `usable_information` the mutual
    information gap (Chen et al., 2018), with parts in the place of single dimensions.
    """
    ordered = np.sort(checks.table(table), axis=-2)
    return np.asarray((ordered[..., -1, :] - ordered[..., -2, :]).mean(-1))


def modularity(table: npt.ArrayLike) -> Array:
    """Mean over parts of 1 - sum of squared entries but the largest / ((F - 1) largest squared).

    Ridgeway and Mozer (2018), there of mutual information; 0 for a part that holds nothing. It does not ask whether
    parts differ: it is 1 if all hold the same single factor.
    """
    rows = checks.table(table)
    squares = rows**2
    largest = squares.max(-1)
    held = largest > 0
    rest = (squares.sum(-1) - largest) / (np.where(held, largest, 1) * (rows.shape[-1] - 1))
    return np.asarray(np.where(held, 1 - rest, 0.0).mean(-1))


def diagonality(table: npt.ArrayLike) -> Array:
    """Mean of the diagonal minus mean of the rest, -1 to 1, for a table `... K K` with each part's own factor on it.

    0 where all parts hold the same, 1 where each holds its own factor alone. The only score, with leakage, that knows
    which factor a part is meant to hold.
    """
    right, wrong = _right_and_wrong(table)
    return np.asarray(right - wrong)


def leakage(table: npt.ArrayLike) -> Array:
    """What wrong parts hold of the factors over what the right parts hold: mean of the rest over mean of the diagonal.

    0 or more; 1 where the wrong parts hold as much as the right ones. NaN where the right parts hold nothing.
    """
    right, wrong = _right_and_wrong(table)
    return np.asarray(np.where(right > 0, wrong / np.where(right > 0, right, 1), np.nan))


def _right_and_wrong(table: npt.ArrayLike) -> tuple[Array, Array]:
    cells = checks.table(table, square=True)
    own = np.eye(cells.shape[-1], dtype=bool)
    return cells[..., own].mean(-1), cells[..., ~own].mean(-1)


def _concentration(rows: Array) -> Array:
    """1 minus the entropy of each row's shares, to the base of its length; 0 for an empty row."""
    total = rows.sum(-1, keepdims=True)
    parts = rows / np.where(total > 0, total, 1)
    entropy = -(parts * np.log(np.where(parts > 0, parts, 1))).sum(-1) / np.log(rows.shape[-1])
    return np.where(total[..., 0] > 0, (1 - entropy).clip(0, 1), 0.0)


def _weighted(values: Array, weights: Array) -> Array:
    total = weights.sum(-1)
    return np.asarray((values * weights).sum(-1) / np.where(total > 0, total, 1))
