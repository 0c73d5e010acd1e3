"""Small videos, and decoders that misbehave."""

import os
import time
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest

from fbm.data.decoding.video import Decoder
from fbm.evaluation.extract import decoding
from fbm.evaluation.extract.decoding import worker_main


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


HANGS = ".hangs"  # of a file beside the video: its decoder hangs


def only_hanging_takes_time(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let a decoder's time limit pass when one of `folder` hangs (see `moody`), and not while one is slow."""
    now = [0.0]

    def patient(connections: list[Connection], limit: float) -> list[object]:
        until = time.monotonic() + 600
        while not (ready := wait(connections, 0.05)):
            assert time.monotonic() < until, "no decoder says anything"
            for sign in folder.glob(f"*{HANGS}"):
                sign.unlink()
                now[0] += limit + 1
                return []
        return list(ready)

    monkeypatch.setattr(decoding, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(decoding, "wait", patient)


def moody(connection: Connection, size: int, decoder: Decoder) -> None:
    """A child that hangs or dies on files of that name, after their first frames; otherwise the real one."""
    relay = _Relay(connection)
    worker_main(relay, size, decoder)  # type: ignore[arg-type]


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
            self.path.with_suffix(HANGS).touch()
            time.sleep(1000)
        if self.path.stem == "dies":
            os._exit(7)
