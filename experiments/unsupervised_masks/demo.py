"""Masks in a store of the demo data against the true ones, which the demo data bring along."""

import argparse
import sys
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import numpy as np
from measures import iou

from fbm.data.masks.boxes import tight_boxes
from fbm.data.masks.files import NpzMasks
from fbm.data.masks.source import DecodedVideo
from fbm.data.store.frame_store import FrameStore
from fbm.utils.messages import exit_status

BANDS = (0, 0.5, 0.7, 0.8, 0.85, 1.01)  # of confidence; the last holds 1


def main() -> None:
    """Print the mean IoU by confidence, of each class and of all videos."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, required=True, help="prepared with masks=unsupervised")
    parser.add_argument("--masks", type=Path, default=Path("data/demo/masks"), help="the demo data's own")
    given = parser.parse_args()
    store = FrameStore(given.store)
    scores: dict[str, list[tuple[float, float]]] = defaultdict(list)
    rated: list[tuple[float, float]] = []
    for video in store.usable:
        frames = store.frames(video.name, 0, video.frames)
        true = NpzMasks(given.masks / f"{video.name}.npz").compute(
            DecodedVideo(video.name, frames, video.width, video.height)
        )
        found = store.masks(video.name, slice(video.frames)).astype(bool)
        mean, box = float(iou(found, true).mean()), float(iou(tight_boxes(found), tight_boxes(true)).mean())
        scores[video.action].append((mean, box))
        rated.append((mean, video.mask_confidence))
    print("| confidence | videos | mean IoU | below 0.3 |\n| --- | --- | --- | --- |")
    for low, high in pairwise(BANDS):
        here = np.array([value for value, sure in rated if low <= sure < high])
        average = here.mean() if len(here) else np.nan
        print(f"| {low:g} to {min(high, 1):g} | {len(here)} | {average:.3f} | {(here < 0.3).sum()} |")
    print("| class | videos | IoU | box IoU | videos below 0.3 |\n| --- | --- | --- | --- | --- |")
    everything = [pair for pairs in scores.values() for pair in pairs]
    for name, pairs in [*sorted(scores.items()), ("all", everything)]:
        values = np.array(pairs)
        mean, box = values.mean(0)
        print(f"| {name} | {len(values)} | {mean:.3f} | {box:.3f} | {(values[:, 0] < 0.3).sum()} |")


if __name__ == "__main__":
    sys.exit(exit_status(main))
