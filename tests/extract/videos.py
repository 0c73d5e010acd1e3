"""Small videos, and decoders that misbehave."""

import os
import time
from multiprocessing.connection import Connection
from pathlib import Path

import av
import numpy as np

from fbm.extract.decoding import serve


def make_video(path: Path, frames: int, fps: int = 10, seed: int = 0, size: int = 48) -> Path:
    """A file of noise that slowly changes; different seeds look different."""
    rng = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = rng.integers(0, 255, (size, size, 3)).astype(np.float64)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mpeg4", rate=fps)
        stream.width = stream.height = size
        for _ in range(frames):
            picture = 0.8 * picture + 0.2 * rng.integers(0, 255, (size, size, 3))
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture.astype(np.uint8), format="rgb24")))
        file.mux(stream.encode(None))
    return path


def make_videos(folder: Path, *lengths: int) -> list[Path]:
    """`a.avi`, `b.avi` and so on, of these numbers of frames."""
    return [make_video(folder / f"{chr(97 + n)}.avi", length, seed=n) for n, length in enumerate(lengths)]


def moody(connection: Connection, size: int) -> None:
    """A child that hangs or dies on files of that name, after their first frames; otherwise the real one."""
    relay = _Relay(connection)
    serve(relay, size)  # type: ignore[arg-type]


class _Relay:
    def __init__(self, connection: Connection) -> None:
        self.connection, self.path = connection, Path()
        self.send_bytes = connection.send_bytes

    def recv(self) -> Path:
        self.path = self.connection.recv()
        return self.path

    def send(self, content: object) -> None:
        self.connection.send(content)
        if self.path.stem == "hangs":
            time.sleep(1000)
        if self.path.stem == "dies":
            os._exit(7)
