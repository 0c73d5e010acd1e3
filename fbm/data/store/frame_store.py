"""The frame store: frames and masks of videos, and a manifest.

STORE/manifest.json          what is in it; written last and in one piece
STORE/frames/NAME.npy        uint8: T size size 3, or compressed in one dimension; none with data.frames=files
STORE/masks/SOURCE/NAME.npy  uint8 T size size/8: bits, packed along the last axis
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from fbm.data.store.array import IntegrityError, StoreArray, StoredFile
from fbm.data.store.kinds.choose import kind_of
from fbm.data.store.manifest import Manifest, StoredVideo, masks_file, read_manifest
from fbm.data.store.reader import Made, VerifiedReader
from fbm.utils.errors import UserError
from fbm.utils.files import is_locked


def masks_of(store: Path, manifest: Manifest, video: StoredVideo) -> StoreArray:
    """A video's packed masks, `T size ceil(size/8)`."""
    packed = (video.frames, manifest.size, -(-manifest.size // 8))
    return StoreArray(masks_file(store, manifest.masks, video.name), packed, video.masks_checksum)


def files_of(store: Path, manifest: Manifest, video: StoredVideo) -> list[StoredFile]:
    """The file of a video's frames and, if the store has masks, that of its masks."""
    frames = kind_of(manifest).file(store, manifest.size, video)
    return [frames] if manifest.masks == "none" else [frames, masks_of(store, manifest, video)]


class StoreError(UserError):
    """A store's file does not match the manifest."""

    def __init__(self, message: str) -> None:
        # From a loader's worker, the message is the whole traceback, with ours in the last line.
        super().__init__(message.rpartition("StoreError: ")[2].strip())


class FrameStore:
    """A finished store, open for reading. Sizes of all files are checked on opening, their content when it is read.

    Raises:
        StoreError: on opening or reading, a file is not the one that was stored.
        UserError: there is no store, see `read_manifest`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.manifest = read_manifest(root)
        self.kind, size = kind_of(self.manifest), self.manifest.size
        self._numbers = {video.name: number for number, video in enumerate(self.usable)}
        self._files = [self.kind.file(root, size, video) for video in self.usable]
        masks = [] if self.manifest.masks == "none" else [masks_of(root, self.manifest, video) for video in self.usable]
        self._frames, self._masks = VerifiedReader(self._files, self.kind.most_open), VerifiedReader(masks)
        self._check_sizes([*self._files, *masks])

    @cached_property
    def usable(self) -> list[StoredVideo]:
        """The videos that can be trained on, in the manifest's order."""
        return [video for video in self.manifest.videos if video.ok]

    def frames(self, name: str, start: int, stop: int) -> np.ndarray:
        """uint8 `N size size 3`, of the frames from `start` to `stop`, as far as there are any."""
        size, count = self.manifest.size, self.usable[self._numbers[name]].frames
        frames = np.empty((max(0, min(stop, count) - start), size, size, 3), np.uint8)
        self.fill(name, start, frames)
        return frames

    def masks(self, name: str, frames: slice | list[int]) -> np.ndarray:
        """The masks of these frames, uint8 `N size size`, 1 on foreground; zeros if the store has no masks."""
        size, number = self.manifest.size, self._numbers[name]
        if self.manifest.masks == "none":
            return np.zeros((len(np.arange(self.usable[number].frames)[frames]), size, size), np.uint8)
        return self._read(self._masks, number, lambda packed: np.unpackbits(packed[frames], axis=-1, count=size))

    def fill(self, name: str, start: int, frames: np.ndarray, interval: int = 1) -> None:
        """Write every `interval`-th frame from `start` on into `frames`, uint8 `N size size 3`."""
        number = self._numbers[name]
        fill = self._files[number].fill
        self._read(self._frames, number, lambda opened: fill(opened, start, frames, interval))

    def close(self) -> None:
        """Close all files; they are opened again when they are needed."""
        self._frames.close()
        self._masks.close()

    def _read(self, reader: VerifiedReader, number: int, use: Callable[[Any], Made]) -> Made:
        try:
            return reader.read(number, use)
        except IntegrityError as error:
            raise StoreError(f"{reader.files[number].path} {error}: {self._advice(error.remedy)}") from error

    def _check_sizes(self, files: Sequence[StoredFile]) -> None:
        wrong: list[tuple[Path, IntegrityError]] = []
        for file in files:
            try:
                file.check_size()
            except IntegrityError as error:
                wrong.append((file.path, error))
        if wrong:
            path, first = wrong[0]
            more = f" (and {len(wrong) - 1} more files are not whole)" if wrong[1:] else ""
            raise StoreError(f"{path} {first}{more}: {self._advice(first.remedy)}") from first

    def _advice(self, remedy: str) -> str:
        """The remedy for a wrong file, unless the store was prepared again since it was opened."""
        if is_locked(self.root):
            return "another `fbm prepare` is writing this store; wait for it, then run again"
        try:
            if read_manifest(self.root).fingerprint == self.manifest.fingerprint:
                return remedy
        except UserError as error:
            return str(error)
        return "the store was prepared again meanwhile, with other content; prepare it as it was, or start a new run"
