"""Settings chosen on all DAVIS sequences but one, and measured on that one; no sequence judges its own settings."""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path

import cv2
import numpy as np
from davis import SIZE, in_store_size, read, sequences
from measures import iou

from fbm.data.masks.boxes import tight_boxes
from fbm.data.masks.files import shrunk
from fbm.data.masks.unsupervised import Settings
from fbm.data.masks.unsupervised.segment import scaled, segment, working_size
from fbm.utils.errors import existing_folder
from fbm.utils.messages import exit_status

NAMES = ("power", "cut", "slip")
GRID = list(product((2.0, 3.0, 4.0), (0.3, 0.35, 0.4), (0.375, 0.5, 0.65)))
OURS = GRID.index((Settings().power, Settings().cut, Settings().slip))


def measure(davis: Path, name: str) -> np.ndarray:
    """Float `settings 2`: the IoU at the working size and the box IoU at 128 x 128 of one sequence."""
    cv2.setNumThreads(1)
    frames, true = read(davis, name)
    size = working_size(*frames.shape[1:3], Settings())
    middle = np.stack([scaled(frame, size) for frame in frames])
    middle_true = np.stack([scaled(255 * mask.astype(np.uint8), size) > 127 for mask in true])
    small, small_boxes = in_store_size(frames), tight_boxes(shrunk(true, SIZE))
    rows = []
    for values in GRID:
        settings = Settings(**dict(zip(NAMES, values, strict=True)))
        boxes = tight_boxes(segment(small, settings)[0])
        rows.append((iou(segment(middle, settings)[0], middle_true).mean(), iou(boxes, small_boxes).mean()))
    return np.array(rows)


def main() -> None:
    """Print what is chosen without each sequence, and the scores of both ways to choose."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--davis", type=existing_folder, required=True, help="with JPEGImages/480p, Annotations/480p")
    parser.add_argument("--workers", type=int, default=2, help="processes (default: %(default)s)")
    given = parser.parse_args()
    names = sequences(given.davis)
    with ProcessPoolExecutor(given.workers) as pool:
        scores = np.stack(list(pool.map(measure, [given.davis] * len(names), names)))
    print(f"| left out | {' | '.join(NAMES)} | IoU | box at 128 | the defaults' IoU | box at 128 |\n|" + " --- |" * 8)
    held = []
    for number, name in enumerate(names):
        chosen = int(np.delete(scores, number, axis=0).sum(2).mean(0).argmax())
        held.append(scores[number, chosen])
        values = [*GRID[chosen], *scores[number, chosen], *scores[number, OURS]]
        print(f"| {name} | " + " | ".join(f"{value:.3g}" for value in values) + " |")
    means = " | ".join(f"{value:.3f}" for value in [*np.mean(held, 0), *scores[:, OURS].mean(0)])
    print(f"| mean | | | | {means} |")
    best = int(scores.sum(2).mean(0).argmax())
    means = " and ".join(f"{value:.3f}" for value in scores[:, best].mean(0))
    chosen_on_all = ", ".join(f"{name} {value:g}" for name, value in zip(NAMES, GRID[best], strict=True))
    print(f"On all: {chosen_on_all}: {means}")


if __name__ == "__main__":
    sys.exit(exit_status(main))
