"""`masks=files`: masks that another tool made, a folder of PNG files a video (one a frame) or one npz file a video."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from fbm.data.below import walk
from fbm.data.masks.source import DecodedVideo, InvalidMasks, MaskError, MaskTrack
from fbm.utils.errors import UserError

ONE_CHANNEL = ("1", "L", "P", "I", "I;16")  # Pillow's names for pictures that a mask can be
PACKED = ("mask", "shape")  # the demo data's own form: bits along the last axis, and T H W


class FileMasks:
    """A folder with `NAME/*.png` (in the order of their names, what is not 0 is foreground) or `NAME.npz` a video.

    An npz file holds one array `T H W`, what is not 0 is foreground; or, as the demo data's, `mask` packed to bits
    along its last axis and `shape`.

    Args:
        root: the data set's; its `masks` is taken where no folder is named.
        folder: of the masks.
    """

    def __init__(self, root: Path | None, folder: Path | None = None) -> None:
        self.folder = Path(folder) if folder is not None else Path(root or ".") / "masks"

    def track(self, name: str) -> MaskTrack | None:
        """The masks of video `name`, or None where there is no file of it.

        Raises:
            UserError: there is no folder of masks.
        """
        if not self.folder.is_dir():
            raise UserError(f"no folder of masks at {self.folder}: name one, masks.source.folder=PATH")
        pictures, archive = self.folder / name, self.folder / f"{name}.npz"
        if pictures.is_dir() and archive.is_file():
            return InvalidMasks(f"there are two kinds of masks, {pictures} and {archive}: remove one")
        if pictures.is_dir():
            return PictureTrack(pictures)
        return ArchiveTrack(archive) if archive.is_file() else None

    def unclaimed(self, names: Collection[str]) -> list[str]:
        """The masks in the folder that are of none of these videos, by the names that they would have."""
        if not self.folder.is_dir():
            return []
        claimed, found = set(names), []
        for inside, folders, files in walk(self.folder, set()):
            here = inside.relative_to(self.folder)
            # A picture that is called like a folder beside it is its contact sheet.
            if any(Path(name).suffix.lower() == ".png" and Path(name).stem not in folders for name in files):
                found.append(here.as_posix())
            found += [(here / name[:-4]).as_posix() for name in files if name.endswith(".npz")]
            folders[:] = [name for name in folders if (here / name).as_posix() not in claimed]
        return [name for name in found if name not in claimed]


def _stamp(paths: list[Path]) -> str:
    """Of the files' names, sizes and times: their content is not read to know that it is the same."""
    stats = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
    return hashlib.sha256(repr(stats).encode()).hexdigest()[:16]


def _misfit(place: Path, shape: tuple[int, ...], frames: int, sizes: list[tuple[int, int]]) -> str | None:
    """Why masks `T H W` do not fit `frames` frames of one of `sizes` (width, height); None where they do."""
    count, height, width = shape
    if count != frames:
        return f"{place} holds {count} masks, the video has {frames} frames"
    if (width, height) not in sizes:
        allowed = " or ".join(f"{w} x {h}" for w, h in dict.fromkeys(sizes))
        return f"{place} holds masks of {width} x {height} pixels, they should be {allowed}"
    return None


def shrunk(masks: np.ndarray, size: int) -> np.ndarray:
    """Bool `T H W` to bool `T size size`: foreground where it covers at least half of a pixel."""
    import cv2

    if masks.shape[1:] == (size, size):
        return masks
    small = [cv2.resize(mask.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA) for mask in masks]
    return np.stack(small) >= 0.5


@dataclass(frozen=True)
class PictureTrack:
    """One video's folder of PNG files."""

    folder: Path

    @property
    def files(self) -> list[Path]:
        """Its pictures in order."""
        return sorted(path for path in self.folder.iterdir() if path.suffix.lower() == ".png")

    @property
    def fingerprint(self) -> str:
        return _stamp(self.files)

    def misfit(self, frames: int, width: int, height: int) -> str | None:
        files = self.files
        if len(files) != frames:
            return f"{self.folder} holds {len(files)} PNG files, the video has {frames} frames"
        try:
            _read(files[0], None) if files else None
        except MaskError as error:
            return str(error)
        return None

    def left_out(self, frames: int, width: int, height: int) -> str:
        return ""

    def draw(self, video: DecodedVideo) -> np.ndarray:
        frames, size = video.frames.shape[:2]
        if reason := self.misfit(frames, video.width, video.height):
            raise MaskError(reason)
        sizes = [(video.width, video.height), (size, size)]
        drawn = [shrunk(_read(path, sizes)[None], size) for path in self.files]
        return np.concatenate(drawn) if drawn else np.zeros((0, size, size), dtype=bool)


def _read(path: Path, sizes: list[tuple[int, int]] | None) -> np.ndarray:
    """One PNG file as bool `H W`.

    Raises:
        MaskError: it is no mask, or not of one of `sizes` (width, height).
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            if picture.mode not in ONE_CHANNEL:
                raise MaskError(f"{path} is a picture with several channels ({picture.mode}); a mask has one")
            if sizes is not None and (reason := _misfit(path, (1, *picture.size[::-1]), 1, sizes)):
                raise MaskError(reason)
            return np.asarray(picture) != 0  # type: ignore[no-any-return]
    except (OSError, SyntaxError, ValueError, UnidentifiedImageError) as error:
        raise MaskError(f"{path} cannot be read as a PNG picture: {' '.join(str(error).split())[:160]}") from error


@dataclass(frozen=True)
class ArchiveTrack:
    """One video's npz file."""

    file: Path

    @property
    def fingerprint(self) -> str:
        return _stamp([self.file])

    def misfit(self, frames: int, width: int, height: int) -> str | None:
        try:
            masks = self._load()
        except MaskError as error:
            return str(error)
        count = len(masks)
        return None if count == frames else f"{self.file} holds {count} masks, the video has {frames} frames"

    def left_out(self, frames: int, width: int, height: int) -> str:
        return ""

    def draw(self, video: DecodedVideo) -> np.ndarray:
        masks, (frames, size) = self._load(), video.frames.shape[:2]
        if reason := _misfit(self.file, masks.shape, frames, [(video.width, video.height), (size, size)]):
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
