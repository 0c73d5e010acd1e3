"""What UCF-101 is like, for the demo data to be like it: sizes of boxes, colours, structure, change."""

import argparse
import sys
from itertools import chain, islice
from pathlib import Path

import av
import numpy as np
from matplotlib.colors import rgb_to_hsv

from fbm.data.annotations import read_pickle
from fbm.data.decoding.pyav import decode
from fbm.utils.errors import UserError, existing_folder
from fbm.utils.messages import exit_status

QUARTILES = (25, 50, 75)
WIDTH, HEIGHT = 320, 240  # UCF-101's frames


def eleventh_frame(path: Path) -> np.ndarray:
    """RGB uint8 `H W 3`."""
    with av.open(path) as container:
        frames = [frame for frame, _ in zip(container.decode(video=0), range(11), strict=False)]
    picture: np.ndarray = frames[-1].to_ndarray(format="rgb24")
    return picture


def first_clip(path: Path) -> np.ndarray:
    """The first 16 frames as a model sees them: `16 64 64 3` in -1..1."""
    frames = islice(chain.from_iterable(batch.copy() for batch in decode(path, 64)), 16)
    return np.stack(list(frames)) / 127.5 - 1


def explained(picture: np.ndarray, blocks: int) -> float:
    """The share of the variance of `H W 3` that the means of `blocks` x `blocks` parts explain, 0..1."""
    side = len(picture) // blocks
    means = picture.reshape(blocks, side, blocks, side, 3).mean(axis=(1, 3))
    return float(means.var(axis=(0, 1)).mean() / picture.var(axis=(0, 1)).mean())


def print_structure(paths: list[Path]) -> None:
    """How much of a first frame is large structure, and how much of a clip moves: means over the videos."""
    clips = [first_clip(path) for path in paths]
    for blocks in (4, 8):
        share = np.mean([explained(clip[0], blocks) for clip in clips])
        print(f"variance of the first frame that {blocks} x {blocks} block means explain: {share:.2f}")
    change = [np.abs(clip[-1] - clip[0]).mean() for clip in clips]
    print(f"mean |last - first| of 16 frames, on -1..1: {np.mean(change):.2f}, ", end="")
    print(f"quartiles {np.percentile(change, QUARTILES).round(2)}")


def main() -> None:
    """Print the figures of every sixth video."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--root", type=existing_folder, required=True, help="with UCF-101/ (any data set in its layout)"
    )
    parser.add_argument("--annotations", type=Path, help="the corrected pickle")
    given = parser.parse_args()
    paths = sorted(given.root.glob("UCF-101/*/*.avi"))[::6]
    if not paths:
        raise UserError(f"{given.root}: no videos UCF-101/CLASS/*.avi in it")
    pixels = [eleventh_frame(path).reshape(-1, 3)[::50] for path in paths]
    saturation, value = rgb_to_hsv(np.concatenate(pixels) / 255).T[1:]
    print(f"{len(pixels)} frames: saturation {np.percentile(saturation, QUARTILES).round(2)}", end=", ")
    print(f"value {np.percentile(value, QUARTILES).round(2)}")
    print_structure(paths)
    if given.annotations is not None:
        boxes = [annotation.boxes for annotation in read_pickle(given.annotations).values() if len(annotation.boxes)]
        heights = [(video[:, 4] / HEIGHT).mean() for video in boxes]
        areas = [(video[:, 3] * video[:, 4] / (WIDTH * HEIGHT)).mean() for video in boxes]
        print(
            f"boxes of {len(boxes)} videos: height {np.percentile(heights, QUARTILES).round(2)} of the frame's",
            end=", ",
        )
        print(f"area {np.percentile(areas, QUARTILES).round(2)} of it")


if __name__ == "__main__":
    sys.exit(exit_status(main))
