"""Small videos of which the true masks are known."""

from pathlib import Path

import av
import cv2
import numpy as np
from PIL import Image


def texture(height: int, width: int, seed: int, tint: tuple[int, int, int]) -> np.ndarray:
    """A smooth random pattern round a colour, uint8 `H W 3`."""
    rng = np.random.default_rng(seed)
    grey = cv2.GaussianBlur(rng.normal(0, 1, (height, width)).astype(np.float32), (0, 0), 2)
    pattern: np.ndarray = np.clip(np.array(tint) + 60 * grey[..., None] / max(grey.std(), 1e-6), 0, 255).astype(
        np.uint8
    )
    return pattern


def moving_square(
    frames: int = 12, height: int = 96, width: int = 128, side: int = 28, step: float = 3, pan: float = 1.5
) -> tuple[np.ndarray, np.ndarray]:
    """A textured square that goes right by `step` pixels a frame while the camera pans: frames and their masks."""
    scene = texture(height, width + int(abs(pan) * frames) + 2, 0, (90, 120, 90))
    thing = texture(max(side, 1), max(side, 1), 1, (190, 110, 60))[:side, :side]
    pictures, masks = [], np.zeros((frames, height, width), bool)
    for time in range(frames):
        left, x = round(pan * time), 10 + round(step * time)
        picture = scene[:, left : left + width].copy()
        picture[height // 3 : height // 3 + side, x : x + side] = thing[:, : width - x]
        masks[time, height // 3 : height // 3 + side, x : x + side] = True
        pictures.append(picture)
    return np.stack(pictures), masks


def boat_on_water(frames: int = 16, height: int = 96, width: int = 128) -> tuple[np.ndarray, np.ndarray]:
    """A square that the camera follows, on water: half of each frame is another random pattern, twice as bright in
    some places, which nothing can follow. The upper half is the shore, which passes by.
    """
    scene = texture(height, width + 3 * frames, 0, (90, 120, 90))
    thing = texture(28, 28, 1, (190, 110, 60))
    pictures, masks = [], np.zeros((frames, height, width), bool)
    for time in range(frames):
        picture = scene[:, 3 * time : 3 * time + width].copy()
        picture[height // 2 :] = texture(height // 2, width, 100 + time, (60, 90, 120))
        top, left = height // 2 - 8, width // 2 - 14
        picture[top : top + 28, left : left + 28] = thing
        masks[time, top : top + 28, left : left + 28] = True
        pictures.append(picture)
    return np.stack(pictures), masks


def before_and_behind(frames: int = 12, height: int = 96, width: int = 128) -> tuple[np.ndarray, np.ndarray]:
    """Parallax: the lower third passes three times as fast as what is behind it, and a square goes the other way."""
    far = texture(height, width + 2 * frames, 0, (90, 120, 90))
    near = texture(height // 3, width + 6 * frames, 2, (120, 110, 100))
    thing = texture(28, 28, 1, (190, 110, 60))
    pictures, masks = [], np.zeros((frames, height, width), bool)
    for time in range(frames):
        picture = far[:, time : time + width].copy()
        picture[-(height // 3) :] = near[:, 5 * time : 5 * time + width]
        left = 30 + 3 * time
        picture[24:52, left : left + 28] = thing
        masks[time, 24:52, left : left + 28] = True
        pictures.append(picture)
    return np.stack(pictures), masks


def iou(found: np.ndarray, true: np.ndarray) -> float:
    """Mean over frames."""
    both, any_ = (found & true).sum((1, 2)), (found | true).sum((1, 2))
    return float(np.where(any_ > 0, both / np.maximum(any_, 1), 1.0).mean())


def read(path: Path) -> np.ndarray:
    """A picture file, uint8 `H W` or `H W 3`."""
    with Image.open(path) as picture:
        return np.asarray(picture)


def write_video(path: Path, frames: np.ndarray) -> Path:
    """Encode uint8 `T H W 3`, sides even."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mpeg4", rate=10, options={"qmin": "2", "qmax": "2"})
        stream.height, stream.width = frames.shape[1:3]
        for frame in frames:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        file.mux(stream.encode(None))
    return path
