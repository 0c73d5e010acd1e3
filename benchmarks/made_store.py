"""A store of any size in a moment: a few files of noise, linked under as many names as wanted."""

import os
from pathlib import Path

import numpy as np

from fbm.data.datasets.ucf101 import UCF101
from fbm.data.store.array import checksum_of
from fbm.data.store.manifest import MANIFEST, Manifest, StoredVideo, frames_file, masks_file
from fbm.utils.files import write_text

DISTINCT = 8  # files with values of their own
CLASSES = 6


def make_store(root: Path, videos: int, size: int, frames: int, split: str = "train") -> Path:
    """Training videos alone, unless another split is named, each of `frames` frames with a square foreground."""
    rng = np.random.default_rng(0)
    rows: list[StoredVideo] = []
    for number in range(videos):
        action = f"Class{number % CLASSES}"
        name = f"{action}/v_{action}_g01_c{number:06}"
        if number < DISTINCT:
            masks = np.zeros((frames, size, size), np.uint8)
            masks[:, size // 4 : size // 2, size // 4 : size // 2] = 1
            noise = rng.integers(0, 256, (frames, size, size, 3), dtype=np.uint8)
            sums = put(root, name, noise, np.packbits(masks, axis=-1))
        else:
            first = rows[number % DISTINCT]
            for file_of in (frames_file, _boxes_file):
                path = file_of(root, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                os.link(file_of(root, first.name), path)
            sums = first.checksum, first.masks_checksum
        rows.append(
            StoredVideo(
                *(name, action, 1, split, "ok"),
                frames=frames,
                masked_frames=frames,
                checksum=sums[0],
                masks_checksum=sums[1],
            )
        )
    write_text(root / MANIFEST, Manifest(size, "boxes", UCF101(None).selection(), rows).to_json())
    return root


def put(root: Path, name: str, frames: np.ndarray, packed: np.ndarray | None) -> tuple[str, str]:
    """Write a video's frames `T size size 3` and its packed boxes, where it has any; gives both checksums."""
    sums = []
    for path, array in ((frames_file(root, name), frames), (_boxes_file(root, name), packed)):
        if array is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, array)
        sums.append("" if array is None else checksum_of(array))
    return sums[0], sums[1]


def _boxes_file(root: Path, name: str) -> Path:
    return masks_file(root, "boxes", name)
