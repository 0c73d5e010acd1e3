"""Decoding many videos at once, in child processes that are killed on a timeout."""

import signal
import time
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fbm.data.decoding.decoders import open_video
from fbm.data.decoding.video import Decoder, VideoError


class Frames(NamedTuple):
    """The next few frames of a video, uint8 `n size size 3`."""

    video: int
    frames: np.ndarray


class Ended(NamedTuple):
    """A video was decoded to its end. `fps` is the container's, 0 if it states none."""

    video: int
    fps: float


class Failed(NamedTuple):
    """A video cannot be read."""

    video: int
    reason: str


Message = Frames | Ended | Failed


def decoded(
    paths: Sequence[Path], size: int, workers: int, timeout: float, decoder: Decoder
) -> Generator[Message, None, None]:
    """The messages of decoding all files: in order within a video, interleaved between videos.

    A pipe holds little, so a worker that is ahead blocks: memory holds a few frames per worker. Close the iterator
    to stop the workers.

    Args:
        size: of the frames, pixels.
        workers: files that are decoded at the same time.
        timeout: seconds without a message after which a file has failed.
        decoder: of all files.
    """
    waiting, pool = deque(range(len(paths))), [_Worker(size, timeout, decoder) for _ in range(min(workers, len(paths)))]
    try:
        while waiting or any(worker.busy for worker in pool):
            for worker in pool:
                if not worker.busy and waiting:
                    number = waiting.popleft()
                    worker.submit(number, paths[number])
            busy = {worker.connection: worker for worker in pool if worker.busy}
            ready = wait(list(busy), max(0.0, min(worker.deadline for worker in busy.values()) - time.monotonic()))
            for connection, worker in busy.items():
                if connection in ready:
                    yield worker.receive()
                elif worker.deadline <= time.monotonic():
                    yield worker.abort(f"no frame decoded within {timeout:g} s")
    finally:
        for worker in pool:
            worker.stop()


class _Worker:
    """A child process that decodes one file at a time. If it hangs or crashes, the next file starts a new one."""

    def __init__(self, size: int, timeout: float, decoder: Decoder) -> None:
        self.size = size
        self.decoder = decoder
        self.timeout = timeout
        self.busy = False
        self.deadline = 0.0
        self.video = 0
        self.process: SpawnProcess | None = None

    def _start(self) -> SpawnProcess:
        # Spawned: forking a process that runs threads can hang, decoders above all.
        context = get_context("spawn")
        self.connection, theirs = context.Pipe()
        process = context.Process(target=worker_main, args=(theirs, self.size, self.decoder), daemon=True)
        process.start()
        theirs.close()  # so that each side notices when the other dies
        return process

    def submit(self, video: int, path: Path) -> None:
        """Start decoding a file; `video` is its number in the messages."""
        self.process = self.process or self._start()
        self.busy = True
        self.video = video
        self.deadline = time.monotonic() + self.timeout
        with suppress(OSError):  # it is dead: `receive` will report that
            self.connection.send(path)

    def receive(self) -> Message:
        """Its next message, which has arrived."""
        try:
            content = self.connection.recv()
        except (EOFError, OSError):
            return self.abort("the decoder crashed")
        self.deadline = time.monotonic() + self.timeout
        if isinstance(content, np.ndarray):
            return Frames(self.video, content)
        self.busy = False
        return Failed(self.video, content) if isinstance(content, str) else Ended(self.video, content)

    def abort(self, reason: str) -> Failed:
        """Give up the file, and kill the process."""
        self.stop()
        self.busy = False
        return Failed(self.video, reason)

    def stop(self) -> None:
        """Kill the process: a decoder that hangs does not react to less."""
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self.connection.close()
            self.process = None


def worker_main(connection: Connection, size: int, decoder: Decoder) -> None:
    """The child process: receives paths; sends frames and then frames per second, or the reason of a failure."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops it
    with suppress(EOFError, ConnectionError):
        while True:
            _decode(connection, connection.recv(), size, decoder)


def _decode(connection: Connection, path: Path, size: int, decoder: Decoder) -> None:
    try:
        with open_video(path, decoder) as video:
            for frames in video.decode(size):
                connection.send(frames)
            fps = video.header.fps
    except ConnectionError:
        raise
    except VideoError as error:
        connection.send(error.reason)
    except OSError as error:  # no permission to look
        connection.send(error.strerror or type(error).__name__)
    else:
        connection.send(fps)
