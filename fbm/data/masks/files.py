"""`masks=files`: masks that another tool made, a folder of PNG files a video (one a frame) or one npz file a video."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from fbm.data.datasets.walk import walk
from fbm.data.masks.source import DecodedVideo, InvalidMasks, MaskError, MaskSource, VideoMasks
from fbm.utils.errors import UserError

ONE_CHANNEL = ("1", "L", "P", "I", "I;16")  # Pillow's names for pictures that a mask can be
PACKED = ("mask", "shape")  # arrays of `save_packed`


class FileMasks(MaskSource):
    """A folder with `NAME/*.png` (sorted by name, non-zero is foreground) or `NAME.npz` for each video.

    An npz file holds one array `T H W`, non-zero is foreground; or `mask` and `shape` as `save_packed` writes them.

    Args:
        root: of the data set; without `folder`, its folder `masks` is read.
        folder: of the masks.
    """

    def __init__(self, root: Path | None, folder: Path | None = None) -> None:
        self.folder = Path(folder) if folder is not None else Path(root or ".") / "masks"

    def masks_for(self, name: str) -> VideoMasks | None:
        """The masks of video `name`, or None if it has no file.

        Raises:
            UserError: the folder does not exist.
        """
        if not self.folder.is_dir():
            raise UserError(f"no folder of masks at {self.folder}: name one, masks.source.folder=PATH")
        pictures, archive = self.folder / name, self.folder / f"{name}.npz"
        if pictures.is_dir() and archive.is_file():
            return InvalidMasks(f"there are two kinds of masks, {pictures} and {archive}: remove one")
        if pictures.is_dir():
            return PngMasks(pictures)
        return NpzMasks(archive) if archive.is_file() else None

    def unmatched(self, names: Collection[str]) -> list[str]:
        """Masks in the folder that belong to none of these videos, by the video name they imply."""
        if not self.folder.is_dir():
            return []
        claimed, found = set(names), []
        for inside, folders, files in walk(self.folder, set()):
            here = inside.relative_to(self.folder)
            # NAME.png beside a folder NAME is its contact sheet.
            if any(Path(name).suffix.lower() == ".png" and Path(name).stem not in folders for name in files):
                found.append(here.as_posix())
            found += [(here / name[:-4]).as_posix() for name in files if name.endswith(".npz")]
            folders[:] = [name for name in folders if (here / name).as_posix() not in claimed]
        return [name for name in found if name not in claimed]


def save_packed(path: Path, masks: np.ndarray) -> None:
    """Write `T H W` masks as a compressed npz file of bits, packed along the last axis, and the shape."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, mask=np.packbits(masks, axis=-1), shape=np.array(masks.shape))


def _stamp(paths: list[Path]) -> str:
    """A hash of the files' names, sizes and times; their content is not read."""
    stats = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
    return hashlib.sha256(repr(stats).encode()).hexdigest()[:16]


def _mismatch(place: Path, shape: tuple[int, ...], frames: int, sizes: list[tuple[int, int]]) -> str | None:
    """The reason why masks `T H W` do not fit `frames` frames of one of `sizes` (width, height), or None."""
    count, height, width = shape
    if count != frames:
        return f"{place} holds {count} masks, the video has {frames} frames"
    if (width, height) not in sizes:
        allowed = " or ".join(f"{w} x {h}" for w, h in dict.fromkeys(sizes))
        return f"{place} holds masks of {width} x {height} pixels, they should be {allowed}"
    return None


def shrunk(masks: np.ndarray, size: int) -> np.ndarray:
    """Bool `T H W` to bool `T size size`: a pixel is foreground if at least half of it is covered."""
    import cv2

    if masks.shape[1:] == (size, size):
        return masks
    small = [cv2.resize(mask.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA) for mask in masks]
    return np.stack(small) >= 0.5


@dataclass(frozen=True)
class PngMasks(VideoMasks):
    """One video's folder of PNG files."""

    folder: Path

    @property
    def files(self) -> list[Path]:
        """Its PNG files, sorted by name."""
        return sorted(path for path in self.folder.iterdir() if path.suffix.lower() == ".png")

    @property
    def fingerprint(self) -> str:
        return _stamp(self.files)

    def validate(self, frames: int, width: int, height: int) -> str | None:
        files = self.files
        if len(files) != frames:
            return f"{self.folder} holds {len(files)} PNG files, the video has {frames} frames"
        try:
            _read(files[0], None) if files else None
        except MaskError as error:
            return str(error)
        return None

    def compute(self, video: DecodedVideo) -> np.ndarray:
        frames, size = video.frames.shape[:2]
        if reason := self.validate(frames, video.width, video.height):
            raise MaskError(reason)
        sizes = [(video.width, video.height), (size, size)]
        drawn = [shrunk(_read(path, sizes)[None], size) for path in self.files]
        return np.concatenate(drawn) if drawn else np.zeros((0, size, size), dtype=bool)


def _read(path: Path, sizes: list[tuple[int, int]] | None) -> np.ndarray:
    """One PNG file as bool `H W`.

    Raises:
        MaskError: it is not a mask, or its size is not one of `sizes` (width, height).
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            if picture.mode not in ONE_CHANNEL:
                raise MaskError(f"{path} is a picture with several channels ({picture.mode}); a mask has one")
            if sizes is not None and (reason := _mismatch(path, (1, *picture.size[::-1]), 1, sizes)):
                raise MaskError(reason)
            return np.asarray(picture) != 0  # type: ignore[no-any-return]
    except (OSError, SyntaxError, ValueError, UnidentifiedImageError) as error:
        raise MaskError(f"{path} cannot be read as a PNG picture: {' '.join(str(error).split())[:160]}") from error


@dataclass(frozen=True)
class NpzMasks(VideoMasks):
    """One video's npz file."""

    file: Path

    @property
    def fingerprint(self) -> str:
        return _stamp([self.file])

    def validate(self, frames: int, width: int, height: int) -> str | None:
        try:
            masks = self._load()
        except MaskError as error:
            return str(error)
        count = len(masks)
        return None if count == frames else f"{self.file} holds {count} masks, the video has {frames} frames"

    def compute(self, video: DecodedVideo) -> np.ndarray:
        masks, (frames, size) = self._load(), video.frames.shape[:2]
        if reason := _mismatch(self.file, masks.shape, frames, [(video.width, video.height), (size, size)]):
            raise MaskError(reason)
        return shrunk(masks, size)

    def _load(self) -> np.ndarray:
        """Bool `T H W`.

        Raises:
            MaskError: the file is damaged, or holds something else.
        """
        try:
            with np.load(self.file, allow_pickle=False) as archive:
                names = archive.files
                if set(names) == set(PACKED):
                    count = int(archive["shape"][-1])
                    return np.unpackbits(archive["mask"], axis=-1, count=count).astype(bool)
                if len(names) != 1:
                    raise MaskError(
                        f"{self.file} holds {len(names)} arrays ({', '.join(names[:5])}); it should hold one"
                    )
                masks = archive[names[0]]
        except (OSError, ValueError, EOFError, KeyError, IndexError, TypeError, BadZipFile) as error:
            raise MaskError(f"{self.file} cannot be read as npz: {' '.join(str(error).split())[:160]}") from error
        if masks.ndim != 3 or masks.dtype.kind not in "bui":
            raise MaskError(
                f"{self.file} holds {masks.dtype} of shape {masks.shape}; it should be bool or integers T H W"
            )
        return masks != 0  # type: ignore[no-any-return]
