"""What knowing a foreground's place, or its colour, takes off its loss: which of them does pretraining find first?

No network is trained. The rows from "the scene's colour" on are the loss of equation (4) of foregrounds painted with
what is known, as a share of the loss of grey, the picture that training starts from; over all videos of a store that
have a mask. The last row is the loss of predicted masks (task=disentangle_mask) where the best map is drawn for all
clips alike: a network whose loss is not below it has not found any clip's object.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fbm.data.store.frame_store import FrameStore
from fbm.models.losses import foreground_loss, foreground_weights, mask_loss
from fbm.utils.errors import UserError
from fbm.utils.messages import exit_status


def main() -> None:
    """Print a column for each store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stores", type=Path, nargs="+")
    parser.add_argument("--seed", type=int, default=0, help="of the frames, one of each video with a mask")
    given = parser.parse_args()
    columns = [shares(*sampled(store, given.seed)) for store in given.stores]
    print(f"| | {' | '.join(store.name for store in given.stores)} |")
    print(f"| --- |{' --- |' * len(columns)}")
    for row in columns[0]:
        print(f"| {row} | {' | '.join(f'{column[row]:.2f}' for column in columns)} |")


def sampled(path: Path, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A random masked frame of each video that has one: float `N H W 3` in -1..1, and masks, bool `N H W`."""
    store, rng = FrameStore(path), np.random.default_rng(seed)
    frames, masks = [], []
    for video in store.usable:
        mask = store.masks(video.name, slice(None)).astype(bool)
        masked = np.flatnonzero(mask.any((1, 2)))
        if len(masked):
            number = int(rng.choice(masked))
            frames.append(store.frames(video.name, number, number + 1)[0] / 127.5 - 1)
            masks.append(mask[number])
    if not frames:
        raise UserError(f"{path}: none of its videos has a mask")
    return np.stack(frames), np.stack(masks)


def shares(frames: np.ndarray, masks: np.ndarray) -> dict[str, float]:
    """Losses of painted foregrounds as shares of that of grey, and what explains them."""

    def loss(painted: np.ndarray) -> float:
        channels_first = (torch.from_numpy(pictures).movedim(-1, 1) for pictures in (painted, frames))
        return foreground_loss(*channels_first, torch.from_numpy(masks).double()).item()

    own = np.stack([np.median(frame[mask], 0) for frame, mask in zip(frames, masks, strict=True)])[:, None, None]
    scene = np.median(frames, (1, 2), keepdims=True)
    everyone = np.median(frames[masks], 0)
    place, often = masks[..., None], masks.mean(0)
    # Where a mask is in enough of the frames for a blob there to pay, which is in the same place in each.
    blobs = [(often > share)[:, :, None] for share in np.linspace(0, often.max(), 50, endpoint=False)]
    grey = loss(np.zeros_like(frames))
    return {
        "area of the masks": float(masks.mean()),
        "correlation of the foreground's brightness with the scene's": float(
            np.corrcoef(own.mean(-1).ravel(), scene.mean(-1).ravel())[0, 1]
        ),
        "loss of grey": grey,
        "the scene's colour, one blob for all": min(loss(blob * scene) for blob in blobs) / grey,
        "its own colour, one blob for all": min(loss(blob * own) for blob in blobs) / grey,
        "its place, everyone's colour": loss(place * everyone) / grey,
        "its place, the scene's colour": loss(place * scene) / grey,
        "its place, its own colour": loss(place * own) / grey,
        "loss of one predicted mask for all": one_mask_for_all(torch.from_numpy(masks).double()),
    }


def one_mask_for_all(masks: Tensor) -> float:
    """The lowest `mask_loss` of `N H W` masks by one map for all of them: their mean with the loss's weights."""
    weights = foreground_weights(masks)
    shown = ((weights * masks).sum(0) / weights.sum(0)).clamp(1e-3, 1 - 1e-3)
    return mask_loss(shown.logit().expand(masks.shape)[:, None], masks[:, None]).item()


if __name__ == "__main__":
    sys.exit(exit_status(main))
