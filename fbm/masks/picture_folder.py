"""A video as a folder of pictures, as segmentation data sets have it: a frame each, in the order of their names."""

import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from fbm.data.decode import VideoError
from fbm.data.inputs import VIDEOS

PICTURES = frozenset([".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"])


def pictures_in(folder: Path) -> list[Path]:
    """The folder's own pictures, sorted by name; none where there is a video among its files."""
    files = sorted(file for file in folder.iterdir() if not file.name.startswith("."))
    if any(file.suffix.lower() in VIDEOS for file in files):
        return []
    return [file for file in files if file.suffix.lower() in PICTURES]


def picture_folders(place: Path, but: Path) -> Iterator[Path]:
    """This folder and those below it, hidden ones and `but` left out, that hold pictures and no video."""
    for inside, folders, _ in os.walk(place):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if os.path.realpath(inside) == os.path.realpath(but):
            folders.clear()
        elif pictures_in(Path(inside)):
            yield Path(inside)


def read_pictures(folder: Path) -> Iterator[np.ndarray]:
    """The frames, RGB uint8 `H W 3` each.

    Raises:
        VideoError: a file is no picture.
    """
    for file in pictures_in(folder):
        picture = cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_COLOR) if file.stat().st_size else None
        if picture is None:
            raise VideoError("undecodable", f"{file.name} is not a picture that can be read")
        yield np.ascontiguousarray(picture[..., ::-1])
