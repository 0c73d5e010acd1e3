"""Frames of many videos at once, from child processes that are killed when they take too long."""

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

from fbm.data.decode import VideoError, opened


class Frames(NamedTuple):
    """The next few frames of a video, uint8 `n size size 3`."""

    video: int
    frames: np.ndarray


class Ended(NamedTuple):
    """A video was read to its end; frames per second as the container says, 0 where it does not."""

    video: int
    fps: float


class Failed(NamedTuple):
    """A video cannot be read."""

    video: int
    reason: str


Message = Frames | Ended | Failed


def decoded(paths: Sequence[Path], size: int, workers: int, timeout: float) -> Generator[Message, None, None]:
    """What comes of reading all files: those of a video in order, those of different videos mixed.

    A pipe holds little, so a worker that is ahead waits: a few frames a worker are in memory. Close the iterator
    to stop the workers.

    Args:
        size: of the frames, pixels.
        workers: files that are read at the same time.
        timeout: seconds without a message after which a file is given up.
    """
    waiting, crew = deque(range(len(paths))), [_Worker(size, timeout) for _ in range(min(workers, len(paths)))]
    try:
        while waiting or any(worker.busy for worker in crew):
            for worker in crew:
                if not worker.busy and waiting:
                    number = waiting.popleft()
                    worker.ask(number, paths[number])
            busy = {worker.connection: worker for worker in crew if worker.busy}
            ready = wait(list(busy), max(0.0, min(worker.deadline for worker in busy.values()) - time.monotonic()))
            for connection, worker in busy.items():
                if connection in ready:
                    yield worker.hear()
                elif worker.deadline <= time.monotonic():
                    yield worker.give_up(f"no frame decoded within {timeout:g} s")
    finally:
        for worker in crew:
            worker.stop()


class _Worker:
    """A child process that reads one file at a time; one that hangs or crashes is replaced for the next file."""

    def __init__(self, size: int, timeout: float) -> None:
        self.size, self.timeout = size, timeout
        self.busy, self.deadline, self.video = False, 0.0, 0
        self.process: SpawnProcess | None = None

    def _start(self) -> SpawnProcess:
        # A fresh interpreter: forking a process that runs threads can hang, decoders worst of all.
        context = get_context("spawn")
        self.connection, theirs = context.Pipe()
        process = context.Process(target=serve, args=(theirs, self.size), daemon=True)
        process.start()
        theirs.close()  # the child's end is the child's alone: when either dies, the other notices
        return process

    def ask(self, video: int, path: Path) -> None:
        """Have it read a file; `video` is what the messages call it."""
        self.process = self.process or self._start()
        self.busy, self.video, self.deadline = True, video, time.monotonic() + self.timeout
        with suppress(OSError):  # dead already: hearing says so
            self.connection.send(path)

    def hear(self) -> Message:
        """Its next message, which is there."""
        try:
            content = self.connection.recv()
        except (EOFError, OSError):
            return self.give_up("the decoder crashed")
        self.deadline = time.monotonic() + self.timeout
        if isinstance(content, np.ndarray):
            return Frames(self.video, content)
        self.busy = False
        return Failed(self.video, content) if isinstance(content, str) else Ended(self.video, content)

    def give_up(self, reason: str) -> Failed:
        """Be done with the file, and with the process."""
        self.stop()
        self.busy = False
        return Failed(self.video, reason)

    def stop(self) -> None:
        """Kill the process; nothing less stops a decoder that hangs."""
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self.connection.close()
            self.process = None


def serve(connection: Connection, size: int) -> None:
    """The child: paths come in; frames go out, then frames per second, or a reason as text."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends it
    with suppress(EOFError, ConnectionError):
        while True:
            _answer(connection, connection.recv(), size)


def _answer(connection: Connection, path: Path, size: int) -> None:
    try:
        with opened(path) as video:
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
