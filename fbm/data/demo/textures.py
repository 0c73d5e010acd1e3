"""Two-colour textures, for scenes and objects alike: neither stands out by contrast or colour."""

import colorsys
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

Array = npt.NDArray[np.float32]
Field = npt.NDArray[np.float64]
Pattern = Callable[[Field, Field, np.random.Generator], Field]  # (y, x) in wavelengths -> 0..1, same shape

SPREAD = 64  # cells of the random tables; a picture shows far fewer


def paint(kind: str, shape: tuple[int, int], wavelength: float, hue: float, rng: np.random.Generator) -> Array:
    """A picture `H W 3`, float32 in 0..255, of the family `kind`; wavelength in pixels, hue in turns."""
    grid = np.mgrid[: shape[0], : shape[1]] / wavelength
    offset = rng.uniform(0, SPREAD, size=2)
    amount = PATTERNS[kind](grid[0] + offset[0], grid[1] + offset[1], rng)[..., None]
    dark, light = _palette(hue, rng)
    return (dark + (light - dark) * amount).astype(np.float32)


def _palette(hue: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """A dark and a light colour of nearby hues, 0..255.

    Their saturations and values spread about as UCF-101's pixels do (quartiles 0.07, 0.21, 0.42 and 0.24, 0.45, 0.65
    over frames of four of its classes): mostly dull, and darker than mid grey.
    """
    hues = hue + rng.uniform(-0.08, 0.08, size=2)
    saturations = rng.beta(1.0, 2.8, size=2)
    values = rng.uniform(0.1, 0.4), rng.uniform(0.4, 0.85)
    dark, light = (
        np.array(colorsys.hsv_to_rgb(h % 1, s, v), dtype=np.float32) * 255
        for h, s, v in zip(hues, saturations, values, strict=True)
    )
    return dark, light


def _sharp(wave: Field) -> Field:
    """From -1..1 to 0..1 with soft edges: hard ones would alias under subpixel motion."""
    return 0.5 + 0.5 * np.tanh(3 * wave)


def _turn(y: Field, x: Field, angle: float) -> tuple[Field, Field]:
    c, s = float(np.cos(angle)), float(np.sin(angle))
    return c * y - s * x, s * y + c * x


def _sine(phase: Field) -> Field:
    return np.sin(2 * np.pi * phase)


def _stripes(y: Field, x: Field, rng: np.random.Generator) -> Field:
    return _sharp(_sine(_turn(y, x, rng.uniform(0, np.pi))[0]))


def _checks(y: Field, x: Field, rng: np.random.Generator) -> Field:
    y, x = _turn(y, x, rng.uniform(-0.3, 0.3))
    return _sharp(2 * _sine(y / 2) * _sine(x / 2))


def _waves(y: Field, x: Field, rng: np.random.Generator) -> Field:
    bend = rng.uniform(0.3, 0.5) * _sine(x / rng.uniform(2, 3))
    return _sharp(_sine(y + bend))


def _bricks(y: Field, x: Field, rng: np.random.Generator) -> Field:
    row = np.floor(y)
    along = x / 2 + 0.5 * (row % 2)  # a brick is twice as long as high, every other row half a brick on
    shade = rng.uniform(0.45, 1, size=(SPREAD, SPREAD))[_cell(row), _cell(along)]
    to_joint = np.minimum(0.5 - np.abs(y % 1 - 0.5), 2 * (0.5 - np.abs(along % 1 - 0.5)))
    return shade * _sharp(8 * (to_joint - 0.1))


def _blobs(y: Field, x: Field, rng: np.random.Generator) -> Field:
    cell = _cell(y), _cell(x)
    centre_y, centre_x = rng.uniform(0.38, 0.62, size=(2, SPREAD, SPREAD))
    radius = rng.uniform(0.24, 0.38, size=(SPREAD, SPREAD))
    distance = np.hypot(y % 1 - centre_y[cell], x % 1 - centre_x[cell])
    return _sharp(8 * (radius[cell] - distance))


def _rings(y: Field, x: Field, rng: np.random.Generator) -> Field:
    """Circles round a point beside the middle: round the middle itself, a turn could not be seen."""
    about = rng.uniform(0, 2 * np.pi)
    far_y = y - y.mean() - 1.2 * np.sin(about)
    far_x = x - x.mean() - 1.2 * np.cos(about)
    return _sharp(_sine(np.hypot(far_y, far_x)))


def _halves(y: Field, x: Field, rng: np.random.Generator) -> Field:
    side = _turn(y - y.mean(), x - x.mean(), rng.uniform(0, 2 * np.pi))[0]
    return _sharp(4 * side)


def _clouds(y: Field, x: Field, rng: np.random.Generator) -> Field:
    wavelength = 1 / float(y[1, 0] - y[0, 0])  # pixels
    noise = sum(_noise(y.shape, wavelength * part, rng) * part for part in (0.5, 0.25, 0.12))
    return 0.5 + 0.5 * np.tanh(noise / np.std(noise))


def _noise(shape: tuple[int, ...], sigma: float, rng: np.random.Generator) -> Field:
    smooth = np.asarray(gaussian_filter(rng.standard_normal(shape), sigma, mode="wrap", truncate=3))
    return smooth / float(smooth.std())


def _cell(position: Field) -> npt.NDArray[np.intp]:
    return np.floor(position).astype(np.intp) % SPREAD


PATTERNS: dict[str, Pattern] = {
    "bricks": _bricks,
    "waves": _waves,
    "blobs": _blobs,
    "stripes": _stripes,
    "checks": _checks,
    "clouds": _clouds,
    "rings": _rings,
    "halves": _halves,
}
