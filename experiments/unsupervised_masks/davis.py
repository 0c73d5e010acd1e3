"""Are masks without labels good enough? DAVIS sequences: IoU at 854 x 480, tight boxes at 128 x 128, CPU time."""

import argparse
import sys
import time
from pathlib import Path

import cv2
import numpy as np
from measures import centre_box, flow_threshold, iou, save

from fbm.data.masks.boxes import tight_boxes
from fbm.data.masks.files import shrunk
from fbm.data.masks.unsupervised import Settings
from fbm.data.masks.unsupervised.segment import scaled, segment
from fbm.utils.errors import UserError, existing_folder
from fbm.utils.messages import exit_status

SIZE = 128  # of the store's frames
COLUMNS = "sequence, frames, centre box, flow threshold, ours, first 40, CPU s, sure, box at 128, its CPU s, its sure"


def sequences(davis: Path) -> list[str]:
    """The names of those in a folder that holds DAVIS's JPEGImages/480p."""
    folder = davis / "JPEGImages" / "480p"
    if not folder.is_dir():
        raise UserError(f"{davis}: no JPEGImages/480p in it")
    return sorted(sequence.name for sequence in folder.iterdir())


def read(davis: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Frames uint8 `T H W 3` and masks bool `T H W` of one sequence."""
    files = sorted((davis / "JPEGImages" / "480p" / name).glob("*.jpg"))
    truth = davis / "Annotations" / "480p" / name
    frames = np.stack([cv2.imread(str(file))[..., ::-1] for file in files])
    masks = [cv2.imread(str(truth / f"{file.stem}.png"), cv2.IMREAD_GRAYSCALE) > 127 for file in files]
    return np.ascontiguousarray(frames), np.stack(masks)


def in_store_size(frames: np.ndarray) -> np.ndarray:
    """Frames as a store of `SIZE` has them."""
    return np.stack([scaled(frame, (SIZE, SIZE)) for frame in frames])


def timed(frames: np.ndarray, settings: Settings) -> tuple[np.ndarray, float, float]:
    """Masks, their confidence, and the seconds of CPU time a frame that they took."""
    began = time.process_time()
    masks, sure = segment(frames, settings)
    return masks, sure, (time.process_time() - began) / len(frames)


def worst(frames: np.ndarray, masks: np.ndarray, true: np.ndarray, scores: np.ndarray, count: int) -> np.ndarray:
    """The frames with the lowest IoU well apart, lit where ours is, the truth outlined in red."""
    chosen: list[int] = []
    for number in np.argsort(scores):
        if all(abs(number - other) >= len(scores) // 8 for other in chosen) and len(chosen) < count:
            chosen.append(int(number))
    pictures = []
    for number in chosen:
        picture = np.where(masks[number][..., None], frames[number], frames[number] // 4)
        lines, _ = cv2.findContours(true[number].astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, lines, -1, (255, 0, 0), 2)
        picture = cv2.resize(picture, (224, 126), interpolation=cv2.INTER_AREA)
        cv2.putText(picture, f"{number}: {scores[number]:.2f}", (4, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 0))
        pictures.append(picture)
    return np.concatenate(pictures, axis=1)


def main() -> None:
    """Print a row a sequence and the means; write the picture of the worst frames."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--davis", type=existing_folder, required=True, help="with JPEGImages/480p, Annotations/480p")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="other settings, as in the config")
    parser.add_argument("--only", nargs="*", choices=["large", "small"], default=["large", "small"])
    parser.add_argument("--worst", type=Path, help="PNG file")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    values = dict(word.split("=") for word in given.set)
    settings = Settings(**{key: type(getattr(Settings(), key))(float(value)) for key, value in values.items()})
    names = COLUMNS.split(", ")
    print(f"| {' | '.join(names)} |\n|{' --- |' * len(names)}")
    rows, pictures = [], []
    for name in sequences(given.davis):
        frames, true = read(given.davis, name)
        row = [np.nan] * 9
        if "large" in given.only:
            masks, sure, seconds = timed(frames, settings)
            scores = iou(masks, true)
            row[:6] = [
                float(iou(centre_box(frames), true).mean()),
                float(iou(flow_threshold(frames), true).mean()),
                *(float(scores.mean()), float(scores[:40].mean()), seconds, sure),
            ]
            pictures.append(worst(frames, masks, true, scores, 4))
        if "small" in given.only:
            masks, row[8], row[7] = timed(in_store_size(frames), settings)
            row[6] = float(iou(tight_boxes(masks), tight_boxes(shrunk(true, SIZE))).mean())
        rows.append(row)
        print(f"| {name} | {len(frames)} | " + " | ".join(f"{value:.3f}" for value in row) + " |", flush=True)
    means = np.mean(rows, axis=0)
    print("| mean | | " + " | ".join(f"{value:.3f}" for value in means) + " |")
    if given.worst and pictures:
        save(given.worst, np.concatenate(pictures))


if __name__ == "__main__":
    sys.exit(exit_status(main))
