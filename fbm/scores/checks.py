"""Arrays as the scores need them; anything else is a ValueError of one line."""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
ROUNDING = 1e-9  # by which a share may leave 0..1


def finite(name: str, values: npt.ArrayLike) -> Array:
    """As float64. ValueError where it is no array of numbers, is empty, or has NaN or infinities."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be an array of numbers: {error}") from error
    if not array.size or not np.isfinite(array).all():
        raise ValueError(f"{name} of shape {array.shape} must hold finite numbers: {_fault(array)}")
    return array


def shares(name: str, values: npt.ArrayLike) -> Array:
    """Numbers in 0..1, clipped to it where rounding left it."""
    array = finite(name, values)
    if array.min() < -ROUNDING or array.max() > 1 + ROUNDING:
        raise ValueError(f"{name} must be shares in 0..1, not {array.min():g} to {array.max():g}")
    return array.clip(0, 1)


def table(values: npt.ArrayLike, square: bool = False) -> Array:
    """A table of shares `... P F`, at least 2 x 2; with `square` as many parts as factors."""
    array = shares("the table of parts and factors", values)
    if array.ndim < 2 or min(array.shape[-2:]) < 2 or (square and array.shape[-2] != array.shape[-1]):
        wanted = "as many parts as factors, two or more" if square else "two parts and two factors or more"
        raise ValueError(f"the table must be `... parts factors` with {wanted}, not of shape {array.shape}")
    return array


def features(name: str, values: npt.ArrayLike) -> Array:
    """Features `N D` of two rows or more."""
    array = finite(name, values)
    if array.ndim != 2 or len(array) < 2:
        raise ValueError(f"{name} must be features `N D` of two clips or more, not of shape {array.shape}")
    return array


def weights(values: npt.ArrayLike | None, count: int) -> Array:
    """How often each of N clips counts, `... N`; None is once each, `N`. Each row counts something."""
    if values is None:
        return np.ones(count)
    array = finite("weights", values)
    if array.ndim < 1 or array.shape[-1] != count:
        raise ValueError(f"weights must be `... N` for N = {count} clips, not of shape {array.shape}")
    if array.min() < 0 or (array.sum(-1) <= 0).any():
        raise ValueError("weights must be at least 0, and not all 0")
    return array


def _fault(array: Array) -> str:
    return f"{(~np.isfinite(array)).sum()} of {array.size} are not" if array.size else "it is empty"
