"""`OUT.parts/`: one small file of features for each finished video, until the output is written."""

import glob
import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from fbm.data.datasets.inputs import Video
from fbm.utils.errors import UserError
from fbm.utils.files import atomic_write, exclusive_lock


@dataclass(frozen=True)
class Rows:
    """The features of one video.

    Attributes:
        starts: first frames of its clips, int64 `N`.
        features: float32 `N D`.
        fps: frames per second, 0 where the file does not state it.
    """

    starts: np.ndarray
    features: np.ndarray
    fps: float


@contextmanager
def parts_folder(out: Path) -> Iterator[Path]:
    """Lock the folder of parts of `out`; removes it if it stays empty.

    Raises:
        UserError: another process writes the same output, or the folder is not writable.
    """
    folder = out.with_name(f"{out.name}.parts")
    with exclusive_lock(folder, "the folder of finished videos"):
        try:
            yield folder
        finally:
            if folder.is_dir() and not any(folder.glob("*.npz")):
                shutil.rmtree(folder)


def sweep_leftovers(out: Path) -> None:
    """Remove partial files of `out` that a killed process left."""
    for leftover in out.parent.glob(f".{glob.escape(out.name)}.*.part"):
        leftover.unlink()


def part_file(folder: Path, video: Video, fingerprint: str) -> Path:
    """The file of a video's rows, specific to its path, its content and the settings.

    Args:
        fingerprint: of the settings that decide the rows.
    """
    key = json.dumps([video.real, video.size, video.mtime_ns, fingerprint])
    return folder / f"{hashlib.sha256(key.encode('utf-8', 'surrogateescape')).hexdigest()[:32]}.npz"


def write_part(file: Path, rows: Rows) -> None:
    """Write a video's rows atomically.

    Raises:
        UserError: they cannot be written.
    """
    try:
        with atomic_write(file) as written:
            np.savez(written, starts=rows.starts, features=rows.features, fps=np.float64(rows.fps))
    except OSError as error:
        raise UserError(
            f"{file.parent} cannot be written: {error.strerror}; finished videos are kept, run the same command again"
        ) from error


def read_part(file: Path) -> Rows:
    """A video's rows.

    Raises:
        UserError: the file is damaged.
    """
    try:
        with np.load(file) as content:
            return Rows(content["starts"], content["features"], float(content["fps"]))
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise UserError(f"{file} is damaged ({error}): delete it and run the same command again") from error
