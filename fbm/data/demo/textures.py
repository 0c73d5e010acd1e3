"""Textures of scenes and objects, of the same contrast and colours, so that neither stands out.

Large soft regions of shade and colour carry a fainter pattern, in about the proportions of UCF-101's frames.
"""

import colorsys
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

Array = npt.NDArray[np.float32]
Field = npt.NDArray[np.float64]
Palette = Array  # `2 2 3`, 0..255: dark and light of one place, dark and light of another
Pattern = Callable[[Field, Field, np.random.Generator], Field]  # (y, x) in wavelengths -> 0..1, same shape


class Sizes(NamedTuple):
    """Of a picture's structures, in pixels: the pattern's wavelength, the typical one of the regions under it."""

    pattern: float
    regions: float


FINE = 0.43  # the pattern's part of brightness; the regions' is the rest
OCTAVES, WAVES = 3, 3  # of the regions: halvings of the wavelength, waves of each
FALL = 0.75  # from one octave's amplitude to the next
STEEP = 1.6  # how flat the regions are inside, and how narrow their borders
DARK, RANGE = (0.05, 0.25), (0.4, 0.75)  # the dark colour's value, and how much more the light one's is
SATURATION = 0.8, 2.6  # of a beta distribution: mostly dull
APART = 110  # least distance of a scene's and its object's mean colours: Euclidean, in RGB of 0..255
SPREAD = 64  # cells of the random tables; a picture shows far fewer


def paint(kind: str, shape: tuple[int, int], sizes: Sizes, palette: Palette, rng: np.random.Generator) -> Array:
    """A picture `H W 3`, float32 in 0..255: the pattern `kind` in faint contrast over large soft regions."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float64)
    offset = rng.uniform(0, SPREAD, size=2)
    fine = PATTERNS[kind](y / sizes.pattern + offset[0], x / sizes.pattern + offset[1], rng)
    shade, place = (_regions(y, x, sizes.regions, rng)[..., None] for _ in range(2))
    amount = FINE * fine[..., None] + (1 - FINE) * shade
    here, there = (dark + (light - dark) * amount for dark, light in palette)
    return np.asarray(here + (there - here) * place, dtype=np.float32)


def draw_palettes(rng: np.random.Generator) -> tuple[Palette, Palette]:
    """Colours of a scene and an object: of different hues, and far enough apart for the object to be visible.

    Pairs that are too near are drawn again as a whole, so that scenes and objects have the same colours.
    """
    while True:
        hue = rng.random()
        pair = _palette(hue, rng), _palette(hue + rng.uniform(0.2, 0.8), rng)
        scene, item = (colours.mean(axis=(0, 1)) for colours in pair)
        if np.linalg.norm(scene - item) > APART:
            return pair


def _palette(hue: float, rng: np.random.Generator) -> Palette:
    """Two pairs of a dark and a light colour, all of nearby hues.

    Their saturations and values are such that pixels spread about as UCF-101's do (quartiles 0.07, 0.21, 0.42 and
    0.24, 0.45, 0.65 over frames of six of its classes): mostly dull, and darker than mid grey.
    """
    dark = rng.uniform(*DARK)
    light = min(dark + rng.uniform(*RANGE), 1.0)
    colours = [
        colorsys.hsv_to_rgb((hue + rng.uniform(-0.08, 0.08)) % 1, rng.beta(*SATURATION), value)
        for value in (dark, light, dark, light)
    ]
    return np.array(colours, dtype=np.float32).reshape(2, 2, 3) * 255


def _regions(y: Field, x: Field, size: float, rng: np.random.Generator) -> Field:
    """Large soft regions, 0..1: waves in all directions, longer ones stronger, as in real pictures."""
    total = np.zeros(y.shape)
    for wave in range(OCTAVES * WAVES):
        octave = wave // WAVES
        length = size * 2.0 ** (1 - octave) * rng.uniform(0.7, 1.4)
        across = _turn(y, x, rng.uniform(0, 2 * np.pi))[0]
        total += _sine(across / length + rng.random()) * FALL**octave
    return 0.5 + 0.5 * np.tanh(STEEP / float(total.std()) * total)


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
    """Circles around a point off the centre, so that rotation is visible."""
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
