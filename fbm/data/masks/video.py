"""Compute the masks of one video and write them as pictures, in a child process of `fbm masks`."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import cv2
import numpy as np

from fbm.data.decoding.pyav import count_packets, decode, read_header
from fbm.data.masks.frame_folder import pictures_in, read_pictures
from fbm.data.masks.unsupervised.segment import segmented
from fbm.data.masks.unsupervised.settings import Settings
from fbm.utils.files import TMP_SUFFIX, atomic_write

SHOWN = (3, 8)  # rows and columns of the contact sheet
SHEET_WIDTH = 200  # pixels of a frame on it


@dataclass(frozen=True)
class Made:
    """The number of frames of a video, and of those with a non-empty mask."""

    frames: int
    masked: int


def make_masks(video: Path, folder: Path, settings: Settings) -> Made:
    """Write `folder/00000.png` and so on, 0 and 255 at the video's own size, and a contact sheet `folder.png`.

    Args:
        video: a file, or a folder of pictures.

    The folder appears when it is complete, and replaces an older one.

    Raises:
        VideoError: the video cannot be read.
        OSError: the masks cannot be written.
    """
    cv2.setNumThreads(1)  # one process per video
    count = len(pictures_in(video)) if video.is_dir() else read_header(video).frames or count_packets(video)
    unfinished = folder.with_name(f".{folder.name}{TMP_SUFFIX}")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        sampled = set(np.linspace(0, max(count - 1, 0), SHOWN[0] * SHOWN[1]).round().astype(int).tolist())
        shown, masked, number = [], 0, -1
        for number, (frame, mask) in enumerate(_masked(video, count, settings)):
            _write_png(unfinished / f"{number:05}.png", mask.astype(np.uint8) * 255)
            masked += bool(mask.any())
            if number in sampled:
                shown.append(_highlight(frame, mask))
        if shown:
            _write_png(folder.with_name(f"{folder.name}.png"), sheet(shown))
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return Made(number + 1, masked)


def _masked(video: Path, count: int, settings: Settings) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Each frame at its working size and its mask at the video's, piece by piece."""
    frames = read_pictures(video) if video.is_dir() else chain.from_iterable(decode(video, None))
    for small, piece in segmented(frames, count, settings):
        yield from zip(small, piece.masks, strict=True)


def _highlight(frame: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A small frame with all but the foreground darkened, uint8."""
    height = max(1, round(frame.shape[0] * SHEET_WIDTH / frame.shape[1]))
    size = (SHEET_WIDTH, height)
    frame = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    inside = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) >= 0.5
    return np.where(inside[..., None], frame, frame // 4)


def sheet(pictures: list[np.ndarray]) -> np.ndarray:
    """Pictures of one size, uint8 `H W 3`, in rows of eight; the last row is filled with black."""
    rows, columns = -(-len(pictures) // SHOWN[1]), min(len(pictures), SHOWN[1])
    filled = pictures + [np.zeros_like(pictures[0])] * (rows * columns - len(pictures))
    return np.concatenate([np.concatenate(filled[row * columns : (row + 1) * columns], axis=1) for row in range(rows)])


def _write_png(path: Path, picture: np.ndarray) -> None:
    """Write uint8 `H W` or RGB `H W 3`, whole or not at all."""
    done, content = cv2.imencode(".png", picture if picture.ndim == 2 else picture[..., ::-1])
    assert done
    with atomic_write(path) as file:
        file.write(content.tobytes())
