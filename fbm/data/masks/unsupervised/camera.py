"""The camera's motion: affine layers, each of which fills a part of the frame's border."""

from dataclasses import dataclass

import numpy as np

from fbm.data.masks.unsupervised.settings import Settings

POINTS = 700  # of a frame, in a grid: enough for the camera's motion
STEPS, WIDE_STEPS = 8, 3  # of the reweighted fit, and of them with a wide scale, to recover from a bad start
STILL, TURBULENT = 0.05, 2.0  # pixels: bounds of a layer's spread, which else follows a perfect fit, or water
LAYERS = 3  # at most: far and near background, and one more
BAND = 0.08  # width of the border, as a share of the frame's shorter side
INSIDE = 0.6  # weight of a point that is not in the border, where objects are more likely
SMALLEST = 0.1  # share of the points that must be left for another layer
BORDER = 0.12  # share of the border that a further layer must fill; what fills less is an object
DENSITY = 0.8  # at least as much of a further layer is in the border, relative to its size
SURE, FEW = 0.5, 10  # points of more than this weight give the scale of the fit, if there are not too few of them
BLIND = 0.02  # weight of a point whose flow is not trusted


@dataclass(frozen=True)
class Layer:
    """A motion of the background.

    Attributes:
        motion: float32 `3 2`, of the constant, x and y of `Grid.basis`.
        spread: robust standard deviation of what it leaves, pixels.
    """

    motion: np.ndarray
    spread: float


@dataclass(frozen=True)
class Grid:
    """A frame's pixels as the fit needs them.

    Attributes:
        basis: float32 `H*W 3`: one, x and y, centred, in frame widths.
        sample: int `n`, flat positions of the points that are fitted.
        border: bool `n`, whether a point is in the border.
    """

    basis: np.ndarray
    sample: np.ndarray
    border: np.ndarray


def grid_of(height: int, width: int) -> Grid:
    """The grid of frames of this size."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    basis = np.stack([np.ones_like(x), (x - width / 2) / width, (y - height / 2) / width], axis=-1).reshape(-1, 3)
    step = max(1, int((height * width / POINTS) ** 0.5))
    first_row, first_column = min(step // 2, height - 1), min(step // 2, width - 1)
    sample = np.arange(height * width).reshape(height, width)[first_row::step, first_column::step].ravel()
    band = max(1, round(BAND * min(height, width)))
    border = np.ones((height, width), bool)
    border[band : height - band, band : width - band] = False
    return Grid(basis, sample, border.ravel()[sample])


def layers(motion: np.ndarray, trust: np.ndarray, grid: Grid, settings: Settings) -> list[Layer]:
    """The background's motions, largest first, at least one.

    The first fits most points. A further one fits most of those that are left, as parallax needs, and counts if it
    fills enough of the border: objects seldom do (the boundary prior of Wei et al., ECCV 2012, for motion).

    Args:
        motion: float32 `H W 2`.
        trust: float32 `H W`.
    """
    flow, basis = motion.reshape(-1, 2)[grid.sample], grid.basis[grid.sample]
    weights = np.where(grid.border, 1, INSIDE) * (trust.ravel()[grid.sample] + BLIND)
    found: list[Layer] = []
    free = np.ones(len(flow), bool)
    while len(found) < LAYERS and free.mean() >= SMALLEST:
        camera, left = fit(flow[free], basis[free], weights[free])
        spread = min(max(1.4826 * float(np.median(left)), STILL), TURBULENT)
        near = free & (np.hypot(*(flow - basis @ camera).T) < 2.5 * spread + 2 * settings.noise)
        filled = (near & grid.border).sum() / max(grid.border.sum(), 1)
        if found and (filled <= BORDER or filled <= DENSITY * near.mean()):
            break
        found.append(Layer(camera, spread))
        free &= ~near
    return found


def fit(flow: np.ndarray, basis: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The affine motion that most points follow, by iteratively reweighted least squares.

    The weights fall with the fourth power of the residual, so that outliers have next to no effect.

    Args:
        flow: float32 `n 2`.
        basis: float32 `n 3`, see `Grid`.
        weights: float `n`.

    Returns:
        The motion, float32 `3 2`, and what it leaves of each point's flow, `n`, in pixels.
    """
    sure = weights > SURE
    if sure.sum() < FEW:
        sure[:] = True
    left = np.hypot(*(flow - np.median(flow[sure], axis=0)).T)
    ridge = 1e-6 * np.eye(3)  # a frame of one row has no motion along y
    for step in range(STEPS):
        scale = max(1.4826 * float(np.median(left[sure])), STILL) * (2 if step < WIDE_STEPS else 1.5)
        weighted = basis * (weights / (1 + (left / scale) ** 2) ** 2)[:, None]
        camera = np.linalg.solve(weighted.T @ basis + ridge, weighted.T @ flow)
        left = np.hypot(*(flow - basis @ camera).T)
    return camera.astype(np.float32), left


def unlike(motion: np.ndarray, background: list[Layer], grid: Grid, settings: Settings) -> np.ndarray:
    """Float32 `H W` in [0, 1): how unlike each of the background's motions a pixel moves, against their spread."""
    flat = motion.reshape(-1, 2)
    least = np.full(len(flat), np.inf, np.float32)
    for layer in background:
        half = settings.noise + settings.spreads * layer.spread
        away = flat - grid.basis @ layer.motion
        np.minimum(least, (away * away).sum(1) / np.float32(half * half), out=least)
    return (least / (least + 1)).reshape(motion.shape[:2])
