"""The classes: how the object moves. None depends on left and right or on the direction of time: clips get flipped.

Every motion is periodic, with a period of 16 to 28 frames, so 16 frames show at least half of it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fbm.data.demo.settings import HEIGHT, WIDTH

Path = npt.NDArray[np.float64]  # one number for each frame


@dataclass(frozen=True)
class Trajectory:
    """The object's pose in each frame, four arrays of `T`: centre in pixels, scale, angle in radians."""

    x: Path
    y: Path
    scale: Path
    angle: Path


def move(motion: str, frames: int, radius: float, rng: np.random.Generator) -> Trajectory:
    """One clip's trajectory of an object of this radius (pixels); speed, amplitude, phase and place are drawn."""
    dx, dy, scale, angle = MOTIONS[motion](np.arange(frames, dtype=np.float64), rng)
    size = radius * scale
    return Trajectory(_place(dx, size, WIDTH, rng), _place(dy, size, HEIGHT, rng), scale, angle)


def _place(path: Path, radius: Path, size: int, rng: np.random.Generator) -> Path:
    """Shift a path to a random place where the object stays inside the frame; to the middle if it cannot."""
    low, high = float(np.max(radius - path)), float(np.min(size - 1 - radius - path))
    where = rng.random()  # always drawn: later draws must not depend on the size
    return path + (low + where * (high - low) if low < high else (low + high) / 2)


def _turns(t: Path, rng: np.random.Generator) -> Path:
    """The phase in radians, forward or backward."""
    start, direction = rng.uniform(0, 2 * np.pi), float(rng.choice([-1, 1]))
    return start + direction * 2 * np.pi * t / rng.uniform(16, 28)


Offsets = tuple[Path, Path, Path, Path]  # x, y, scale, angle


def _slide(t: Path, rng: np.random.Generator) -> Offsets:
    return rng.uniform(24, 38) * np.sin(_turns(t, rng)), 0.0 * t, 0 * t + 1.0, 0.0 * t


def _bounce(t: Path, rng: np.random.Generator) -> Offsets:
    return 0.0 * t, rng.uniform(22, 32) * np.sin(_turns(t, rng)), 0 * t + 1.0, 0.0 * t


def _orbit(t: Path, rng: np.random.Generator) -> Offsets:
    radius, phase = rng.uniform(20, 30), _turns(t, rng)
    return radius * np.cos(phase), radius * np.sin(phase), 0 * t + 1.0, 0.0 * t


def _pulse(t: Path, rng: np.random.Generator) -> Offsets:
    return 0.0 * t, 0.0 * t, 1 + rng.uniform(0.25, 0.4) * np.sin(_turns(t, rng)), 0.0 * t


def _spin(t: Path, rng: np.random.Generator) -> Offsets:
    return 0.0 * t, 0.0 * t, 0 * t + 1.0, _turns(t, rng)


def _shake(t: Path, rng: np.random.Generator) -> Offsets:
    return _jitter(t, rng), _jitter(t, rng), 0 * t + 1.0, 0.0 * t


def _jitter(t: Path, rng: np.random.Generator) -> Path:
    """Two fast waves of unrelated periods: small and irregular."""
    starts = rng.uniform(0, 2 * np.pi, size=2)
    quick, slower = (2 * np.pi * t / rng.uniform(*periods) for periods in ((3, 4), (5, 7)))
    path: Path = 0.6 * np.sin(starts[0] + quick) + 0.4 * np.sin(starts[1] + slower)
    return rng.uniform(3.5, 6.5) * path


MOTIONS: dict[str, Callable[[Path, np.random.Generator], Offsets]] = {
    "Slide": _slide,
    "Bounce": _bounce,
    "Orbit": _orbit,
    "Pulse": _pulse,
    "Spin": _spin,
    "Shake": _shake,
}
