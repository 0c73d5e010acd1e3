"""Frames by decord: one by one, since its batches beyond the last frame it can decode hold wrong ones."""

from pathlib import Path

import numpy as np

from fbm.data.decoding.packets import packet_index
from fbm.data.decoding.video import VideoError

# decord repeats a frame in place of one that it cannot get, also of the last one when it does not wait long enough for
# it, as happens behind a jump on a busy machine. This share of a file makes that an error, and it is tried again.
NO_REPEATED_FRAME = "0.000000001"  # without an exponent, which decord would not read
TRIES = 6


def versions() -> str:
    """Its name and version, for the manifest."""
    import decord

    return f"decord {decord.__version__}"


class DecordFrames:
    """The frames of a file; see `IndexedFrames`. Opened where it is used: it does not survive a fork."""

    def __init__(self, path: Path) -> None:
        import decord

        decord.logging.set_level(decord.logging.QUIET)
        self._path = path
        self._repeated = decord.DECORDLimitReachedError
        self._errors = (decord.DECORDError, RuntimeError, AssertionError, StopIteration)
        self._open()
        self._seeks: bool | None = None  # known when it first matters

    def _open(self) -> None:
        import decord

        try:
            self._reader = decord.VideoReader(
                str(self._path), ctx=decord.cpu(0), num_threads=1, fault_tol=NO_REPEATED_FRAME
            )
        except self._errors as error:
            reason = f"decord cannot open it ({_line(error)}); the decoder pyav may"
            raise VideoError("undecodable", reason) from error
        self._number = 0  # of the next frame

    def __len__(self) -> int:
        return len(self._reader)

    def at(self, number: int) -> np.ndarray:
        """See `IndexedFrames.at`."""
        try:
            for _ in range(TRIES):
                try:
                    return self._next(number)
                except self._repeated:
                    self._open()
        except self._errors as error:
            raise VideoError("undecodable", f"decord gives no frame {number + 1} ({_line(error)})") from error
        raise VideoError("undecodable", f"decord repeats another frame in place of frame {number + 1}")

    def _next(self, number: int) -> np.ndarray:
        if number != self._number:
            self._jump(number)
        self._number = number + 1
        frame: np.ndarray = self._reader.next().asnumpy()
        if frame.shape[2] != 3:  # it takes the padding of a row for more channels
            raise VideoError("undecodable", f"decord mixes up pictures only {frame.shape[1]} pixels wide")
        return frame

    def _jump(self, number: int) -> None:
        """Go to a frame: from a keyframe on only where decord counts right, otherwise from the beginning."""
        if self._seeks is None:
            index = packet_index(self._path)
            self._seeks = index is not None and index.closed
        if self._seeks:
            self._reader.seek_accurate(number)
            return
        if number < self._number:
            self._open()
        for _ in range(number - self._number):  # its own skipping is two frames off in files with B-frames
            self._reader.next()


def _line(error: BaseException) -> str:
    """Its message without decord's stack."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].rpartition("] ")[2] if lines else type(error).__name__
