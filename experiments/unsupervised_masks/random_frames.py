"""Twenty-four frames of a store with their masks, chosen by a seed and nothing else."""

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
from measures import save

from fbm.data.store.frame_store import FrameStore
from fbm.utils.messages import exit_status

COLUMNS, ROWS = 12, 2


def main() -> None:
    """Draw each frame above the same one with all but its foreground darkened."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="PNG file")
    given = parser.parse_args()
    store, rng = FrameStore(given.store), np.random.default_rng(given.seed)
    videos = rng.choice(len(store.usable), COLUMNS * ROWS, replace=False)
    pairs = []
    for video in (store.usable[number] for number in videos):
        number = int(rng.integers(video.frames))
        frame = store.frames(video.name, number, number + 1)[0]
        mask = store.masks(video.name, [number])[0].astype(bool)
        pair = np.concatenate([frame, np.where(mask[..., None], frame, frame // 3)])
        place, colour = (3, len(frame) + 14), (255, 255, 0)
        cv2.putText(pair, f"{video.mask_confidence:.2f}", place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour)
        pairs.append(pair)
        print(f"{video.name} frame {number}: {mask.mean():.1%} foreground, confidence {video.mask_confidence:.2f}")
    sizes = [(video.masked_frames, video.frames) for video in store.usable]
    masked, frames = np.sum(sizes, axis=0)
    empty = sum(not some for some, _ in sizes)
    print(f"{empty} of {len(sizes)} videos have no mask, {masked / frames:.1%} of {frames:,} frames have one")
    sure = np.quantile([video.mask_confidence for video in store.usable], [0, 0.1, 0.5, 0.9])
    print(
        "confidence of all videos: least {:.2f}, a tenth below {:.2f}, median {:.2f}, a tenth above {:.2f}".format(
            *sure
        )
    )
    rows = [np.concatenate(pairs[row * COLUMNS : (row + 1) * COLUMNS], axis=1) for row in range(ROWS)]
    picture = cv2.resize(np.concatenate(rows), None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    save(given.out, picture)


if __name__ == "__main__":
    sys.exit(exit_status(main))
