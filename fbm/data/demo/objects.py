"""The foreground: textured silhouettes without rotational symmetry, drawn in any pose."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt

from fbm.data.demo.settings import HEIGHT
from fbm.data.demo.textures import Array, Palette, Sizes, paint

Mask = npt.NDArray[np.bool_]
PATCH = 80  # pixels: near the size on screen, so that linear sampling is enough
REGIONS = 200  # pixels: a change of shade from one end to the other
REACH = 1.4  # radii from the centre to the patch's sides: no silhouette reaches farther


@dataclass(frozen=True)
class SyntheticObject:
    """One object. Its patch `P P 4`: colour (0..255) and signed distance to the edge (radii, inside > 0)."""

    patch: Array
    radius: float  # pixels: half the longer side of the upright silhouette, at scale 1
    angle: float  # radians: of the upright pose


def make_object(kind: str, palette: Palette, rng: np.random.Generator) -> SyntheticObject:
    """Draw one instance of a kind: colours, texture, size and angle.

    It is 34 to 60 % of the frame's height: where about half of UCF-101's annotated boxes are.
    """
    family = TEXTURES[kind]
    colour = paint(family, (PATCH, PATCH), Sizes(rng.uniform(16, 24), REGIONS), palette, rng)
    patch = np.concatenate([colour, _distance(SILHOUETTES[kind])[..., None]], axis=-1)
    return SyntheticObject(patch, radius=rng.uniform(0.17, 0.30) * HEIGHT, angle=rng.uniform(-0.4, 0.4))


def draw(frame: Array, item: SyntheticObject, x: float, y: float, scale: float, angle: float) -> Mask:
    """Lay the object over `frame` (`H W 3`, changed in place) at (x, y) pixels; returns its mask `H W`."""
    height, width, _ = frame.shape
    mask = np.zeros((height, width), dtype=np.bool_)
    radius = item.radius * scale
    rows, columns = _span(y, radius * REACH, height), _span(x, radius * REACH, width)
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return mask  # wholly outside
    py = (np.arange(rows.start, rows.stop, dtype=np.float32) - np.float32(y))[:, None]
    px = (np.arange(columns.start, columns.stop, dtype=np.float32) - np.float32(x))[None, :]
    turn = angle + item.angle
    c, s = np.float32(np.cos(turn) / radius), np.float32(np.sin(turn) / radius)
    sample = _sample(item.patch, c * py - s * px, s * py + c * px)
    alpha = np.clip(sample[..., 3:] * np.float32(radius) + 0.5, 0, 1)  # one pixel of soft edge at every scale
    region = frame[rows, columns]
    region += alpha * (sample[..., :3] - region)
    mask[rows, columns] = alpha[..., 0] > 0.5
    return mask


def _span(centre: float, reach: float, size: int) -> slice:
    """The pixels of one axis that the object can touch, cut to the frame."""
    return slice(max(0, int(centre - reach)), min(size, int(centre + reach) + 2))


def _sample(patch: Array, y: Array, x: Array) -> Array:
    """Linear samples `h w 4` of the patch at unit-disc coordinates; outside it, its edge."""
    size = patch.shape[0]
    half = np.float32((size - 1) / 2)
    limit = np.float32(size - 1.001)
    row, column = (np.clip(v * (half / np.float32(REACH)) + half, 0, limit) for v in (y, x))
    top, left = row.astype(np.intp), column.astype(np.intp)
    down, right = (row - top)[..., None].astype(np.float32), (column - left)[..., None].astype(np.float32)
    flat, at = patch.reshape(-1, patch.shape[-1]), top * size + left
    upper = flat[at] + right * (flat[at + 1] - flat[at])
    lower = flat[at + size] + right * (flat[at + size + 1] - flat[at + size])
    return np.asarray(upper + down * (lower - upper), dtype=np.float32)


def _distance(inside: Callable[[Array, Array], Mask]) -> Array:
    """Signed distance in radii, `P P`, of the silhouette put on its centroid, its longer side 2 radii."""
    y, x = _grid(256, 1.5)
    points = inside(y, x)
    middle_y, middle_x = y[points].mean(), x[points].mean()
    radius = max(np.ptp(y[points]), np.ptp(x[points])) / 2
    fine = 4  # measured on a finer grid, so that the edge is right to a fraction of a patch pixel
    y, x = _grid(PATCH * fine, REACH)
    points = inside(y * radius + middle_y, x * radius + middle_x)
    pixels = np.asarray(distance_transform_edt(points)) - np.asarray(distance_transform_edt(~points))
    coarse = pixels.reshape(PATCH, fine, PATCH, fine).mean(axis=(1, 3))
    return np.asarray(coarse * (2 * REACH / (PATCH * fine)), dtype=np.float32)


def _grid(size: int, reach: float) -> tuple[Array, Array]:
    line = np.linspace(-reach, reach, size, dtype=np.float32)
    y, x = np.meshgrid(line, line, indexing="ij")
    return y, x


def _arrow(y: Array, x: Array) -> Mask:
    head = (y > -1) & (y < 0.1) & (np.abs(x) < 0.8 * (y + 1))
    shape: Mask = head | ((y >= 0.05) & (y < 1) & (np.abs(x) < 0.36))
    return shape


def _ell(y: Array, x: Array) -> Mask:
    upright = (np.abs(x + 0.42) < 0.4) & (np.abs(y) < 1)
    shape: Mask = upright | ((np.abs(y - 0.6) < 0.4) & (x > -0.82) & (x < 0.9))
    return shape


def _drop(y: Array, x: Array) -> Mask:
    tip = (y > -1.1) & (y < 0) & (np.abs(x) < 0.62 * (y + 1.1))
    shape: Mask = tip | (np.hypot(x, y - 0.25) < 0.74)
    return shape


def _moon(y: Array, x: Array) -> Mask:
    shape: Mask = (np.hypot(x, y) < 1) & (np.hypot(x - 0.55, y + 0.1) > 0.72)
    return shape


def _club(y: Array, x: Array) -> Mask:
    """A rod with a large and a small end."""
    ends = (np.hypot(x, y + 0.45) < 0.62) | (np.hypot(x, y - 0.72) < 0.36)
    shape: Mask = ends | ((np.abs(x) < 0.26) & (np.abs(y) < 0.8))
    return shape


def _wedge(y: Array, x: Array) -> Mask:
    """A disc with a slice cut out, to the upper right."""
    angle = np.arctan2(-y, x)
    shape: Mask = (np.hypot(x, y) < 1) & ~((angle > -0.15) & (angle < 1.5))
    return shape


SILHOUETTES: dict[str, Callable[[Array, Array], Mask]] = {
    "arrow": _arrow,
    "ell": _ell,
    "drop": _drop,
    "moon": _moon,
    "club": _club,
    "wedge": _wedge,
}
TEXTURES = {
    "arrow": "stripes",
    "ell": "checks",
    "drop": "rings",
    "moon": "blobs",
    "club": "halves",
    "wedge": "clouds",
}
