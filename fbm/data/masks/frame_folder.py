"""A video as a folder of pictures, one a frame, sorted by name, as segmentation data sets have it."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from fbm.data.decoding.video import VideoError

PICTURES = frozenset([".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"])


def is_picture(file: Path) -> bool:
    """Whether a file is a picture by name and content."""
    return file.suffix.lower() in PICTURES and cv2.haveImageReader(str(file))


def pictures_in(folder: Path) -> list[Path]:
    """The pictures in a folder, by name, sorted; hidden ones are skipped."""
    return sorted(
        file for file in folder.iterdir() if file.suffix.lower() in PICTURES and not file.name.startswith(".")
    )


def read_pictures(folder: Path) -> Iterator[np.ndarray]:
    """The frames, RGB uint8 `H W 3` each.

    Raises:
        VideoError: a file is not a picture.
    """
    for file in pictures_in(folder):
        picture = cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_COLOR) if file.stat().st_size else None
        if picture is None:
            raise VideoError("undecodable", f"{file.name} is not a picture that can be read")
        yield np.ascontiguousarray(picture[..., ::-1])
