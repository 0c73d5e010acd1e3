"""Clips that share only their appearance or only their motion with the original. Frames are `B T H W 3` uint8."""

import numpy as np
import torch
from torch import Tensor

from fbm.data.batch import ClipBatch


def shuffled(frames: Tensor, batch: ClipBatch) -> Tensor:
    """The same frames in an order that follows from the sample: the same appearance, another motion.

    The first frame stays the first, as two of the parts describe it.
    """
    changed = frames.clone()
    for number, sample in enumerate(batch.sample.tolist()):
        order = 1 + np.random.default_rng([0, sample]).permutation(frames.shape[1] - 1)
        changed[number, 1:] = frames[number, torch.from_numpy(order)]
    return changed


def recoloured(frames: Tensor, batch: ClipBatch) -> Tensor:
    """Other colours in each video: channels exchanged and some inverted; the same motion, another appearance.

    The choice, one of 47, follows from the video. Brightness, hue and contrasts between regions change or are inverted
    and edges stay where they are, so that the optical flow is the same.
    """
    changed = torch.empty_like(frames)
    for number, video in enumerate(batch.video.tolist()):
        order, inverted = _colours(video)
        changed[number] = frames[number][..., order] ^ torch.tensor(inverted, dtype=torch.uint8) * 255
    return changed


def _colours(video: int) -> tuple[list[int], list[int]]:
    """The order of the channels, and which of them are inverted; never as they were."""
    rng = np.random.default_rng([1, video])
    while True:
        order, inverted = rng.permutation(3).tolist(), rng.integers(2, size=3).tolist()
        if order != [0, 1, 2] or any(inverted):
            return order, inverted
