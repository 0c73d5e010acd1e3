"""How much do the settings matter? One at a time changed, on DAVIS sequences scaled to 128 x 128."""

import argparse
import sys
from typing import Any

import cv2
import numpy as np
from davis import SIZE, in_store_size, read, sequences
from measures import iou

from fbm.data.masks.boxes import tight_boxes
from fbm.data.masks.files import shrunk
from fbm.data.masks.unsupervised import Settings
from fbm.data.masks.unsupervised.segment import segment
from fbm.utils.errors import existing_folder
from fbm.utils.messages import exit_status

OTHERS: dict[str, tuple[Any, ...]] = {
    "distances": ((1,),),
    "noise": (0.4,),
    "spreads": (3.0, 8.0),
    "slip": (0.25, 1.0),
    "neighbours": (10,),
    "place": (2.0, 8.0),
    "border": (1.0, 0.2),
    "rounds": (0, 2, 20),
    "power": (1.0, 16.0),
    "cut": (0.3, 0.5),
    "smallest": (0.1, 0.4),
}


def main() -> None:
    """Print a row a change: the mean IoU of the masks and of their tight boxes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--davis", type=existing_folder, required=True, help="with JPEGImages/480p, Annotations/480p")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    videos = []
    for name in sequences(given.davis):
        frames, true = read(given.davis, name)
        videos.append((in_store_size(frames), shrunk(true, SIZE)))
    print("| changed | IoU | box IoU |\n| --- | --- | --- |")
    for change in [{}, *({key: value} for key, values in OTHERS.items() for value in values)]:
        scores = []
        for frames, true in videos:
            masks, _ = segment(frames, Settings(**change))
            scores.append((iou(masks, true).mean(), iou(tight_boxes(masks), tight_boxes(true)).mean()))
        mean, box = np.mean(scores, axis=0)
        changed = ", ".join(f"{key} {value}" for key, value in change.items()) or "nothing"
        print(f"| {changed} | {mean:.3f} | {box:.3f} |", flush=True)


if __name__ == "__main__":
    sys.exit(exit_status(main))
