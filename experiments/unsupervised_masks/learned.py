"""A small pretrained network whose weights come in a package (MediaPipe's selfie segmentation), on DAVIS sequences.

Needs `pip install mediapipe==0.10.14`, the last whose wheel holds this network's interface; fbm does not depend on it.
"""

import argparse
import sys
import time

import numpy as np
from davis import SIZE, in_store_size, read, sequences
from measures import iou

from fbm.data.masks.boxes import tight_boxes
from fbm.data.masks.files import shrunk
from fbm.utils.errors import UserError, existing_folder
from fbm.utils.messages import exit_status

CUT = 0.5  # of the probability of a person


def people(frames: np.ndarray) -> tuple[np.ndarray, float]:
    """Masks, bool `T H W`, of frames `T H W 3`, and the seconds of CPU time a frame that they took."""
    try:
        import mediapipe
    except ModuleNotFoundError as error:
        raise UserError("mediapipe is not installed: pip install mediapipe==0.10.14") from error
    began = time.process_time()
    with mediapipe.solutions.selfie_segmentation.SelfieSegmentation(model_selection=0) as network:
        masks = np.stack([network.process(frame).segmentation_mask > CUT for frame in frames])
    return masks, (time.process_time() - began) / len(frames)


def main() -> None:
    """Print the IoU of each sequence, and of its boxes in a store's size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--davis", type=existing_folder, required=True)
    given = parser.parse_args()
    rows = []
    print("| sequence | IoU | CPU s | box at 128 |\n| --- | --- | --- | --- |")
    for name in sequences(given.davis):
        frames, true = read(given.davis, name)
        masks, seconds = people(frames)
        small, _ = people(in_store_size(frames))
        box = iou(tight_boxes(small), tight_boxes(shrunk(true, SIZE))).mean()
        rows.append((iou(masks, true).mean(), seconds, box))
        print(f"| {name} | " + " | ".join(f"{value:.3f}" for value in rows[-1]) + " |", flush=True)
    print("| mean | " + " | ".join(f"{value:.3f}" for value in np.mean(rows, axis=0)) + " |")


if __name__ == "__main__":
    sys.exit(exit_status(main))
