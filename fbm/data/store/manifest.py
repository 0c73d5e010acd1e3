"""The manifest of a store: what is in it, one row per video; and where the files of a video are."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fbm.data.decoding.video import EXCLUDED, Decoder, Status
from fbm.utils.errors import UserError

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
    size: int = 0  # of the stored frames, pixels; 0 if an earlier fbm wrote the row
    width: int = 0
    height: int = 0
    fps: float = 0.0
    masked_frames: int = 0  # frames with any foreground
    source_bytes: int = 0
    source_mtime_ns: int = 0
    source_checksum: str = ""  # SHA-256
    checksum: str = ""  # of the stored frames; where none are stored, of the decoded ones
    masks: str = ""  # source and fingerprint of the masks
    masks_checksum: str = ""
    mask_confidence: float = 1.0  # how sure the masks are, 0 to 1; 1 if their source does not say
    decoder: str = ""
    kept: str = "raw"  # how its frames are kept, see `FrameKind.label`
    frames_bytes: int = 0  # of the compressed frames
    path: str = ""  # of the source, absolute, if training reads it
    segment: str = ""  # as in `Video`
    first_frame: int = 0  # its first one's number in the source, 0 unless it is a segment

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
        frames, quality: how frames are kept (`data.frames`), and of compressed ones their quality.
        decoder: of the frames, also where none are stored and training reads the videos.
    """

    size: int
    masks: str
    selection: dict[str, Any]
    videos: list[StoredVideo] = field(default_factory=list)
    others: list[StoredVideo] = field(default_factory=list)
    format: int = FORMAT
    settings: dict[str, Any] = field(default_factory=dict)
    frames: str = "raw"
    quality: int | None = None
    decoder: Decoder = "pyav"

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
        """Of all that a run reads: frames, masks, labels and splits. 16 hex digits.

        It is the same for a raw store and for one without frames, if the decoder was the same.
        """
        rows = [(v.name, v.split, v.checksum, v.masks_checksum) for v in self.videos if v.ok]
        return hashlib.sha256(json.dumps([self.size, self.masks, rows]).encode()).hexdigest()[:16]

    def to_json(self) -> str:
        """JSON with one video per line, to be compared with diff."""
        head = {"format": self.format, "size": self.size, "masks": self.masks, "selection": self.selection}
        head |= {"frames": self.frames, "quality": self.quality, "decoder": self.decoder}
        content = json.dumps({**head, "settings": self.settings, "fingerprint": self.fingerprint})[:-1]
        videos, others = (",\n".join(json.dumps(asdict(row)) for row in rows) for rows in (self.videos, self.others))
        return f'{content}, "videos": [\n{videos}\n], "others": [\n{others}\n]}}\n'


def check_prepared(store: Path) -> None:
    """UserError if the store does not exist or is unfinished."""
    if not (store / MANIFEST).is_file():
        hint = "its preparation was not finished" if store.is_dir() else "no such folder"
        raise UserError(f"no store at {store} ({hint}): run `fbm prepare` with the same data settings")


def read_manifest(store: Path) -> Manifest:
    """Read a store's manifest.

    Raises:
        UserError: the store does not exist or is unfinished, or its manifest is damaged or of another format.
    """
    check_prepared(store)
    path = store / MANIFEST
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
