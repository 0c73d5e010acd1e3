"""The frame store: decoded videos as uint8 arrays, their masks, and a manifest.

STORE/manifest.json          what is in it; written last and in one piece
STORE/frames/NAME.npy        uint8 T size size 3
STORE/masks/SOURCE/NAME.npy  uint8 T size size/8: bits, packed along the last axis
"""

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from fbm.data.decoding.video import EXCLUDED, Status
from fbm.data.store.array import HEADER, IntegrityError, StoreArray
from fbm.data.store.reader import Made, VerifiedReader
from fbm.utils.errors import UserError
from fbm.utils.files import is_locked

FORMAT = 2
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class StoredVideo:
    """One row of the manifest; checksums as in `StoreArray`.

    `reason` is the fault, or for an ok `status` the part of the annotation that is not used.
    """

    name: str
    action: str
    group: int
    split: str
    status: Status
    reason: str = ""
    frames: int = 0
    width: int = 0
    height: int = 0
    fps: float = 0.0
    masked_frames: int = 0  # frames with any foreground
    source_bytes: int = 0
    source_mtime_ns: int = 0
    source_checksum: str = ""  # SHA-256
    checksum: str = ""  # of the stored frames
    masks: str = ""  # source and fingerprint of the masks
    masks_checksum: str = ""
    decoder: str = ""

    @property
    def ok(self) -> bool:
        """Whether it can be trained on."""
        return self.status == "ok"


@dataclass(frozen=True)
class Manifest:
    """What a store holds.

    Attributes:
        size: of the frames, pixels.
        masks: the mask source's name.
        selection: the data set's choices that made the splits (`VideoDataset.selection`).
        videos: every video of that selection, usable or not.
        others: decoded for an earlier selection, and kept so that they need not be decoded again.
        settings: other defaults for training: `name` of the data, `skip_broken`.
    """

    size: int
    masks: str
    selection: dict[str, Any]
    videos: list[StoredVideo] = field(default_factory=list)
    others: list[StoredVideo] = field(default_factory=list)
    format: int = FORMAT
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def classes(self) -> list[str]:
        """In label order."""
        return sorted({video.action for video in self.videos if video.action})

    @property
    def broken(self) -> list[StoredVideo]:
        """The videos that should be used but cannot."""
        return [video for video in self.videos if not video.ok and video.status not in EXCLUDED]

    @property
    def excluded(self) -> list[StoredVideo]:
        """Files left out on purpose: not videos, duplicates, or test videos."""
        return [video for video in self.videos if video.status in EXCLUDED]

    def classes_without_clips(self, chunk_frames: int) -> list[str]:
        """The classes without a usable video of so many frames."""
        filled = {video.action for video in self.videos if video.ok and video.frames >= chunk_frames}
        return [name for name in self.classes if name not in filled]

    @property
    def partly_masked(self) -> list[StoredVideo]:
        """Usable videos with a part of their annotation unused."""
        return [video for video in self.videos if video.ok and video.reason]

    @property
    def fingerprint(self) -> str:
        """Of all that a run reads: frames, masks, labels and splits. 16 hex digits."""
        rows = [(v.name, v.split, v.checksum, v.masks_checksum) for v in self.videos if v.ok]
        return hashlib.sha256(json.dumps([self.size, self.masks, rows]).encode()).hexdigest()[:16]

    def to_json(self) -> str:
        """JSON with one video a line, to be compared with diff."""
        head = {"format": self.format, "size": self.size, "masks": self.masks, "selection": self.selection}
        content = json.dumps({**head, "settings": self.settings, "fingerprint": self.fingerprint})[:-1]
        videos, others = (",\n".join(json.dumps(asdict(row)) for row in rows) for rows in (self.videos, self.others))
        return f'{content}, "videos": [\n{videos}\n], "others": [\n{others}\n]}}\n'


def read_manifest(store: Path) -> Manifest:
    """Read a store's manifest.

    Raises:
        UserError: the store does not exist or is unfinished, or its manifest is damaged or of another format.
    """
    path = store / MANIFEST
    if not path.is_file():
        hint = "its preparation was not finished" if store.is_dir() else "no such folder"
        raise UserError(f"no store at {store} ({hint}): run `fbm prepare` with the same data settings")
    try:
        content = json.loads(path.read_text())
        if content.pop("format") != FORMAT:
            raise UserError(f"{path} is not of this fbm's format ({FORMAT}): delete {store}, then `fbm prepare` again")
        stated = content.pop("fingerprint")
        videos, others = ([StoredVideo(**row) for row in content.pop(key)] for key in ("videos", "others"))
        manifest = Manifest(**content, videos=videos, others=others)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{path} is damaged ({error}): delete it and run `fbm prepare` again") from error
    if stated != manifest.fingerprint:
        raise UserError(f"{path} was changed by hand (wrong fingerprint): delete it and run `fbm prepare` again")
    return manifest


def frames_file(store: Path, name: str) -> Path:
    """The file of a video's frames."""
    return store / "frames" / f"{name}.npy"


def masks_file(store: Path, source: str, name: str) -> Path:
    """The file of a video's masks from one source."""
    return store / "masks" / source / f"{name}.npy"


def is_whole(path: Path, *shape: int) -> bool:
    """Whether an array file has the size of uint8 values of this shape."""
    return path.is_file() and path.stat().st_size == HEADER + math.prod(shape)


def files_of(store: Path, manifest: Manifest, video: StoredVideo) -> list[StoreArray]:
    """A video's frames `T size size 3` and, if the store has masks, its packed masks `T size ceil(size/8)`."""
    shape = (video.frames, manifest.size, manifest.size, 3)
    frames = StoreArray(frames_file(store, video.name), shape, video.checksum)
    if manifest.masks == "none":
        return [frames]
    packed = (video.frames, manifest.size, -(-manifest.size // 8))
    return [frames, StoreArray(masks_file(store, manifest.masks, video.name), packed, video.masks_checksum)]


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
        files: list[StoreArray] = []
        self._first: dict[str, int] = {}  # index of a video's frames; its masks follow
        for video in self.usable:
            self._first[video.name] = len(files)
            files += files_of(root, self.manifest, video)
        self._reader = VerifiedReader(files)
        self._check_sizes()

    @cached_property
    def usable(self) -> list[StoredVideo]:
        """The videos that can be trained on, in the manifest's order."""
        return [video for video in self.manifest.videos if video.ok]

    def frames(self, name: str, start: int, stop: int) -> np.ndarray:
        """uint8 `stop-start size size 3`."""
        return self._read(self._first[name], lambda frames: frames[start:stop].copy())

    def masks(self, name: str, frames: slice | list[int]) -> np.ndarray:
        """The masks of these frames, uint8 `N size size`, 1 on foreground; zeros if the store has no masks."""
        size = self.manifest.size
        if self.manifest.masks == "none":
            count = self._reader.files[self._first[name]].shape[0]
            return np.zeros((len(np.arange(count)[frames]), size, size), np.uint8)
        return self._read(self._first[name] + 1, lambda packed: np.unpackbits(packed[frames], axis=-1, count=size))

    def fill(self, name: str, start: int, frames: np.ndarray) -> None:
        """Copy the frames from `start` on into `frames`, uint8 `N size size 3`."""
        self._read(self._first[name], lambda stored: np.copyto(frames, stored[start : start + len(frames)]))

    def _read(self, number: int, use: Callable[[np.ndarray], Made]) -> Made:
        try:
            return self._reader.read(number, use)
        except IntegrityError as error:
            path = self._reader.files[number].path
            raise StoreError(f"{path} {error}: {self._advice(error.remedy)}") from error

    def _check_sizes(self) -> None:
        wrong: list[tuple[Path, IntegrityError]] = []
        for file in self._reader.files:
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
