"""`data.frames=files`: no frames in the store; every clip is decoded from its video file."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from fbm.data.decoding.decoders import open_reader
from fbm.data.decoding.video import Decoder, FrameReader, VideoError
from fbm.data.store.array import IntegrityError, unreadable
from fbm.data.store.kinds.kind import FrameKind, Written
from fbm.data.store.kinds.raw import write_raw
from fbm.data.store.manifest import StoredVideo
from fbm.utils.files import checksum

CHANGED = "put the prepared file back, or run `fbm prepare` again"
MOVED = "put it back, or run `fbm prepare` again with the videos' present folder"
BROKEN = "replace it and run `fbm prepare` again; data.skip_broken=true leaves broken videos out"
# Readers of a parent process: a forked one neither uses nor closes them, since their threads and the position in the
# file are not its own.
_OF_PARENTS: list[FrameReader] = []


class OwnReader:
    """A reader that belongs to the process that opened it."""

    def __init__(self, file: "VideoFrames") -> None:
        self.reader, self.owner = file.reader(), os.getpid()

    def in_this_process(self, file: "VideoFrames") -> FrameReader:
        """The reader, opened again in a forked process."""
        if self.owner != os.getpid():
            _OF_PARENTS.append(self.reader)
            self.reader, self.owner = file.reader(), os.getpid()
        return self.reader

    def __del__(self) -> None:
        if not hasattr(self, "owner"):  # the file could not be opened
            return
        if self.owner == os.getpid():
            self.reader.close()
        else:
            _OF_PARENTS.append(self.reader)


@dataclass(frozen=True)
class VideoFrames:
    """A video file as it was prepared; `size` in pixels is that of the frames that come out of it."""

    video: StoredVideo
    size: int
    decoder: Decoder

    @property
    def path(self) -> Path:
        """The video."""
        return Path(self.video.path)

    def check_size(self) -> None:
        self._changed_since()

    def check(self) -> None:
        """Compare size and time; the content only if the time differs, as after copying."""
        if self._changed_since():
            self._compare_content()

    def check_all(self) -> None:
        self._changed_since()
        self._compare_content()

    def opened(self) -> OwnReader:
        try:
            return OwnReader(self)
        except VideoError as error:
            raise IntegrityError(f"cannot be opened ({error.reason})", BROKEN) from error

    def fill(self, opened: OwnReader, start: int, frames: np.ndarray, interval: int = 1) -> None:
        # A frame is decoded from those before it, so that none is spared by leaving some out.
        whole = frames if interval == 1 else np.empty(((len(frames) - 1) * interval + 1, *frames.shape[1:]), np.uint8)
        try:
            opened.in_this_process(self).read(self.video.first_frame + start, whole)
        except VideoError as error:
            self.check_all()  # if the file has changed, that explains it
            reason = f"frames {start} to {start + len(whole) - 1} do not decode ({error.reason})"
            raise IntegrityError(reason, BROKEN) from error
        if interval > 1:
            np.copyto(frames, whole[::interval])

    def reader(self) -> FrameReader:
        """Open the video.

        Raises:
            VideoError: it cannot be opened.
        """
        return open_reader(self.path, self.decoder, self.size)

    def _changed_since(self) -> bool:
        """Whether its time is another than when it was prepared.

        Raises:
            IntegrityError: it is missing, not readable, or has another size.
        """
        try:
            stat = os.stat(self.video.path)  # noqa: PTH116 (pathlib takes three times as long)
        except OSError as error:
            raise _unreadable(error) from error
        if stat.st_size != self.video.source_bytes:
            reason = f"has {stat.st_size:,} bytes in place of the {self.video.source_bytes:,} that were prepared"
            raise IntegrityError(reason, CHANGED)
        return stat.st_mtime_ns != self.video.source_mtime_ns

    def _compare_content(self) -> None:
        try:
            found = checksum(self.path)
        except OSError as error:
            raise _unreadable(error) from error
        if found != self.video.source_checksum:
            raise IntegrityError("is not the file that was prepared (checksum)", CHANGED)


@dataclass(frozen=True)
class Files(FrameKind):
    """No frames but those in the video files."""

    decoder: Decoder
    stored: ClassVar[bool] = False
    most_open: ClassVar[int] = 8  # clips of one video are read one after the other only in evaluation

    @property
    def name(self) -> str:
        return "files"

    @property
    def label(self) -> str:
        return f"files {self.decoder}"

    def file(self, store: Path, size: int, video: StoredVideo) -> VideoFrames:
        return VideoFrames(video, size, self.decoder)

    def write(self, path: Path, scratch: Path | None, batches: Iterable[np.ndarray], size: int) -> Written:
        return write_raw(scratch.open("wb") if scratch else None, batches, size)

    def bytes_for(self, frames: int, size: int) -> int:
        return 0


def _unreadable(error: OSError) -> IntegrityError:
    reason = unreadable(error)
    return IntegrityError(str(reason), MOVED) if isinstance(error, FileNotFoundError) else reason
