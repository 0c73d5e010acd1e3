"""Videos of a few kilobytes that differ from each other."""

from pathlib import Path

import av
import numpy as np

WIDTH, HEIGHT = 48, 32


def make_video(path: Path, seed: int, frames: int = 34, codec: str = "mpeg4") -> Path:
    """A square on noise, another noise for each seed; the container follows from the ending."""
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(frames):
            frame = picture.copy()
            frame[8:24, number % 30 : number % 30 + 16] = 255
            file.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        file.mux(stream.encode())
    return path
