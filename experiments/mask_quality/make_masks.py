"""Masks of the demo data that know nothing of the video: a centred box, the whole frame, another video's mask."""

import argparse
import sys
from pathlib import Path

import numpy as np

from fbm.data.masks.files import save_packed
from fbm.utils.errors import UserError, existing_folder
from fbm.utils.messages import exit_status


def main() -> None:
    """Write OUT/centre, OUT/whole and OUT/other, one file per video."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("masks", type=existing_folder, help="the demo data's own: data/demo/masks")
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0, help="of the exchange")
    given = parser.parse_args()
    paths = sorted(given.masks.rglob("*.npz"))
    if not paths:
        raise UserError(f"{given.masks}: no masks (.npz) in it: make them with `fbm prepare`")
    true = [_unpacked(path) for path in paths]
    share = float(np.mean([masks.mean() for masks in true]))
    # Around a circle in a random order: everyone has another one's.
    circle = np.random.default_rng(given.seed).permutation(len(true))
    others = dict(zip(circle.tolist(), np.roll(circle, 1).tolist(), strict=True))
    for number, (path, own) in enumerate(zip(paths, true, strict=True)):
        name = path.relative_to(given.masks)
        save_packed(given.out / "centre" / name, _centred(own.shape, share))
        save_packed(given.out / "whole" / name, np.ones_like(own))
        save_packed(given.out / "other" / name, _of_length(true[others[number]], len(own)))
    print(f"{len(paths)} videos; the centred box has {share:.1%} of the frame, as the true masks have on average")


def _unpacked(path: Path) -> np.ndarray:
    """`T H W` bool."""
    with np.load(path) as file:
        frames, height, width = file["shape"]
        return np.unpackbits(file["mask"], axis=-1, count=width).reshape(frames, height, width).astype(bool)


def _centred(shape: tuple[int, ...], share: float) -> np.ndarray:
    """A box in the middle of all frames, of the frame's own shape, with this share of its area."""
    masks = np.zeros(shape, bool)
    height, width = (round(side * share**0.5) for side in shape[1:])
    top, left = (shape[1] - height) // 2, (shape[2] - width) // 2
    masks[:, top : top + height, left : left + width] = True
    return masks


def _of_length(masks: np.ndarray, frames: int) -> np.ndarray:
    """The first frames, played to and fro where there are fewer."""
    there_and_back = np.concatenate([masks, masks[-2:0:-1]])
    return there_and_back[np.arange(frames) % len(there_and_back)]


if __name__ == "__main__":
    sys.exit(exit_status(main))
