"""What moves unlike the camera: dense flow, a robust fit of the camera's motion, and its residual."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from fbm.data.masks.unsupervised.settings import Settings

POINTS = 1500  # of a frame, in a grid: enough for the camera's motion and for the spread of what it leaves
STEPS = 8  # of the reweighted fit
WIDE_STEPS = 3  # of them with a wide scale, to recover from a bad start
SPARSE = 2  # frames from one pair to the next at distances above one: they cost as much, and add less
SMALLEST = 16  # pixels: DIS needs a patch and its surroundings
STILL = 0.05  # pixels: the least scale of the fit's weights, or a perfect fit would divide by nothing
TRUST = 0.1  # allowed forward-backward error, as a share of the flow's length
DOUBT = 0.1  # weight of "does not move", which decides where no flow is trusted


@dataclass(frozen=True)
class Grid:
    """A frame's pixels as the camera fit needs them.

    Attributes:
        x, y: float32 `H W`, positions in pixels.
        basis: float32 `H*W 3`: one, x and y, centred, in frame widths.
        sample: int `n`, flat positions of the points that are fitted.
    """

    x: np.ndarray
    y: np.ndarray
    basis: np.ndarray
    sample: np.ndarray


def grid_of(height: int, width: int) -> Grid:
    """The grid of frames of this size."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    basis = np.stack([np.ones_like(x), (x - width / 2) / width, (y - height / 2) / width], axis=-1).reshape(-1, 3)
    step = max(1, int((height * width / POINTS) ** 0.5))
    sample = np.arange(height * width).reshape(height, width)[step // 2 :: step, step // 2 :: step].ravel()
    return Grid(x, y, basis, sample)


def saliency(frames: Sequence[np.ndarray], settings: Settings) -> np.ndarray:
    """How surely each pixel moves unlike the camera.

    Flow is trusted where forward and backward flow agree, so not at occlusions. Each frame's
    saliency is then averaged along the flow with that of the frames around it.

    Args:
        frames: T of them, uint8 `H W 3`, at least two.

    Returns:
        float32 `T H W` in [0, 1].
    """
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
    grid = grid_of(*grey[0].shape)
    evidence = np.zeros((len(grey), *grey[0].shape), np.float32)
    weight = np.full_like(evidence, DOUBT)
    ahead, behind = [], []  # the flow to the next frame, and of that one back; half floats, they are many
    for distance in settings.distances:
        for time, forth, back in _flows(grey, distance):
            for at, flow, other in ((time, forth, back), (time + distance, back, forth)):
                trusted = _consistency(flow, other, grid, settings.slip)
                evidence[at] += trusted * _residual(flow, grid, settings)
                weight[at] += trusted
            if distance == 1:
                ahead.append(forth.astype(np.float16))
                behind.append(back.astype(np.float16))
    return _along_the_flow(evidence / weight, ahead, behind, grid, settings.memory)


def _flows(grey: list[np.ndarray], distance: int) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """(t, flow from frame t to t + distance, flow back), float32 `H W 2` in pixels, for every t that has one."""
    method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    method.setFinestScale(0)  # the preset stops at half the size, which blurs what is small
    for time in range(0, len(grey) - distance, 1 if distance == 1 else SPARSE):
        first, second = grey[time], grey[time + distance]
        yield time, _flow(method, first, second), _flow(method, second, first)


def _flow(method: cv2.DISOpticalFlow, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    height, width = first.shape
    if min(height, width) >= SMALLEST:
        return method.calc(first, second, None)  # type: ignore[call-overload,no-any-return]
    down, right = max(0, SMALLEST - height), max(0, SMALLEST - width)
    padded = [cv2.copyMakeBorder(grey, 0, down, 0, right, cv2.BORDER_REPLICATE) for grey in (first, second)]
    return method.calc(*padded, None)[:height, :width]  # type: ignore[call-overload,no-any-return]


def _follow(values: np.ndarray, flow: np.ndarray, grid: Grid) -> np.ndarray:
    """Values of another frame, warped by the flow."""
    return cv2.remap(values, grid.x + flow[..., 0], grid.y + flow[..., 1], cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE)


def _consistency(flow: np.ndarray, back: np.ndarray, grid: Grid, slip: float) -> np.ndarray:
    """Float32 `H W` in [0, 1], near one where forward and backward flow agree."""
    missed = ((_follow(back, flow, grid) + flow) ** 2).sum(-1)
    allowed = slip + TRUST * np.sqrt((flow**2).sum(-1))
    return np.exp(-missed / allowed**2)  # type: ignore[no-any-return]


def _residual(flow: np.ndarray, grid: Grid, settings: Settings) -> np.ndarray:
    """Float32 `H W` in [0, 1): how far the flow is from the camera's, against the frame's own spread."""
    flat = flow.reshape(-1, 2)
    camera, left = fit_camera(flat[grid.sample], grid.basis[grid.sample])
    low, high = np.quantile(left, [0.25, 0.75])
    half = settings.fences * (high + 1.5 * (high - low)) + settings.noise
    squared = ((flat - grid.basis @ camera) ** 2).sum(1).reshape(flow.shape[:2])
    return squared / (squared + np.float32(half**2))  # type: ignore[no-any-return]


def fit_camera(flow: np.ndarray, basis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The affine motion that most points follow, by iteratively reweighted least squares.

    The weights fall with the fourth power of the residual, so that outliers have next to no effect.

    Args:
        flow: float32 `n 2`.
        basis: float32 `n 3`, see `Grid`.

    Returns:
        The motion, float32 `3 2`, and what it leaves of each point's flow, `n`, in pixels.
    """
    left = np.hypot(*(flow - np.median(flow, axis=0)).T)
    ridge = 1e-6 * np.eye(3)  # a frame of one row has no motion along y
    for step in range(STEPS):
        scale = max(1.4826 * float(np.median(left)), STILL) * (2 if step < WIDE_STEPS else 1.5)
        weighted = basis / ((1 + (left / scale) ** 2) ** 2)[:, None]
        camera = np.linalg.solve(weighted.T @ basis + ridge, weighted.T @ flow)
        left = np.hypot(*(flow - basis @ camera).T)
    return camera.astype(np.float32), left


def _along_the_flow(
    raw: np.ndarray, ahead: list[np.ndarray], behind: list[np.ndarray], grid: Grid, memory: float
) -> np.ndarray:
    """The mean of a running average from the first frame on and one from the last frame back."""
    past, future = raw.copy(), raw.copy()
    for time, flow in enumerate(behind, start=1):
        past[time] = memory * _follow(past[time - 1], flow.astype(np.float32), grid) + (1 - memory) * raw[time]
    for time in range(len(ahead) - 1, -1, -1):
        carried = _follow(future[time + 1], ahead[time].astype(np.float32), grid)
        future[time] = memory * carried + (1 - memory) * raw[time]
    past += future
    past /= 2
    return past
