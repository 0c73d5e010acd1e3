"""Masks in a store of the demo data against the true ones, which the demo data bring along."""

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
from measures import iou, tight_boxes

from fbm.data.masks.files import shrunk
from fbm.data.store.frame_store import FrameStore


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
        with np.load(given.masks / f"{video.name}.npz") as file:
            true = np.unpackbits(file["mask"], axis=-1, count=int(file["shape"][-1])).astype(bool)
        found, true = store.masks(video.name, slice(video.frames)).astype(bool), shrunk(true, store.manifest.size)
        box = iou(tight_boxes(found), tight_boxes(true)).mean()
        scores[video.action].append((float(iou(found, true).mean()), float(box)))
        rated.append((float(iou(found, true).mean()), video.mask_confidence))
    print("| confidence | videos | IoU |\n| --- | --- | --- |")
    for low, high in ((0, 0.05), (0.05, 0.1), (0.1, 0.2), (0.2, 1.01)):
        here = [value for value, sure in rated if low <= sure < high]
        print(f"| {low:g} to {high:.3g} | {len(here)} | {np.mean(here) if here else np.nan:.3f} |")
    print("| class | videos | IoU | box IoU | videos below 0.3 |\n| --- | --- | --- | --- | --- |")
    everything = [pair for pairs in scores.values() for pair in pairs]
    for name, pairs in [*sorted(scores.items()), ("all", everything)]:
        values = np.array(pairs)
        mean, box = values.mean(0)
        print(f"| {name} | {len(values)} | {mean:.3f} | {box:.3f} | {(values[:, 0] < 0.3).sum()} |")


if __name__ == "__main__":
    main()
