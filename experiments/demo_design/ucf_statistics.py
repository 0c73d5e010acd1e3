"""What UCF-101 is like, for the demo data to be like it: sizes of annotated boxes, colours of pixels."""

import argparse
from pathlib import Path

import av
import numpy as np
from matplotlib.colors import rgb_to_hsv

from fbm.data.boxes import read_pickle

QUARTILES = (25, 50, 75)
WIDTH, HEIGHT = 320, 240  # UCF-101's frames


def eleventh_frame(path: Path) -> np.ndarray:
    """RGB uint8 `H W 3`."""
    with av.open(path) as container:
        frames = [frame for frame, _ in zip(container.decode(video=0), range(11), strict=False)]
    picture: np.ndarray = frames[-1].to_ndarray(format="rgb24")
    return picture


def main() -> None:
    """Print quartiles."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="holds UCF-101/ (any data set in its layout)")
    parser.add_argument("--annotations", type=Path, help="the corrected pickle")
    given = parser.parse_args()
    pixels = [eleventh_frame(path).reshape(-1, 3)[::50] for path in sorted(given.root.glob("UCF-101/*/*.avi"))[::6]]
    saturation, value = rgb_to_hsv(np.concatenate(pixels) / 255).T[1:]
    print(f"{len(pixels)} frames: saturation {np.percentile(saturation, QUARTILES).round(2)}", end=", ")
    print(f"value {np.percentile(value, QUARTILES).round(2)}")
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
    main()
