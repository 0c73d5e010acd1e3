"""The background: a picture larger than the frame, over which a camera slowly pans."""

import numpy as np

from fbm.data.demo.settings import HEIGHT, WIDTH
from fbm.data.demo.textures import Array, Palette, Sizes, paint

MARGIN = 72  # pixels that the camera may travel each way before it turns back
STILL, SLOW = (0.0, 0.05), (0.1, 0.6)  # pixels a frame; real cameras mostly stand
PATTERN = 20, 30  # pixels: the range of a pattern's wavelength
REGIONS = 450  # pixels: the typical wavelength of the regions, larger than the frame


def make_scene(kind: str, palette: Palette, rng: np.random.Generator) -> Array:
    """The whole scene of a group, `H W 3` float32 in 0..255, larger than a frame by the margin."""
    shape = HEIGHT + MARGIN + 2, WIDTH + MARGIN + 2  # two more: a subpixel crop reads one pixel further
    return paint(kind, shape, Sizes(rng.uniform(*PATTERN), REGIONS), palette, rng)


def pan(frames: int, rng: np.random.Generator) -> Array:
    """The camera's path, `T 2`: top and left in scene pixels. In half of the clips it hardly moves."""
    speed = rng.uniform(*(STILL if rng.random() < 0.5 else SLOW))
    direction = rng.uniform(0, 2 * np.pi)
    velocity = speed * np.array([np.sin(direction), np.cos(direction)])
    path = rng.uniform(0, MARGIN, size=2) + np.arange(frames)[:, None] * velocity
    folded = MARGIN - np.abs(path % (2 * MARGIN) - MARGIN)
    return folded.astype(np.float32)


def view(scene: Array, top: float, left: float) -> Array:
    """The frame `H W 3` at a subpixel place: linear between neighbouring rows, then columns."""
    row, column = int(top), int(left)
    down, right = np.float32(top - row), np.float32(left - column)
    part = scene[row : row + HEIGHT + 1, column : column + WIDTH + 1]
    part = part[:-1] + down * (part[1:] - part[:-1])
    return part[:, :-1] + right * (part[:, 1:] - part[:, :-1])
