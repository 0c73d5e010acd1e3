"""How surely each region moves unlike the background."""

from collections.abc import Sequence

import cv2
import numpy as np

from fbm.data.masks.unsupervised.camera import grid_of, layers, unlike
from fbm.data.masks.unsupervised.flow import flows
from fbm.data.masks.unsupervised.regions import Regions
from fbm.data.masks.unsupervised.settings import Settings

EVERY = 2  # pixels along each axis of which one is looked at: flow is smooth, and a region has many


def evidence(frames: Sequence[np.ndarray], regions: Sequence[Regions], settings: Settings) -> np.ndarray:
    """The evidence of motion for each region: unlike every layer of the background, and trusted.

    What cannot be followed from frame to frame counts as no evidence. So water, smoke and leaves, which move as unlike
    the camera as the object, get less than the object.

    Args:
        frames: T of them, uint8 `H W 3`, at least two.
        regions: of each frame, `R` each.

    Returns:
        float32 `T R` in [0, 1], the mean over the flows of each frame.
    """
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
    every = EVERY if min(grey[0].shape) >= 4 * EVERY else 1
    part = slice(every // 2, None, every)
    grid = grid_of(*grey[0][part, part].shape)
    labels = [here.labels[part, part].ravel() for here in regions]
    count = len(regions[0].areas)
    areas = [np.maximum(np.bincount(here, minlength=count), 1) for here in labels]
    sums, measured = np.zeros((len(grey), count)), np.zeros((len(grey), 1))
    slip = settings.slip * settings.scale(*grey[0].shape)
    for flow in flows(grey, settings.distances, slip, part):
        moves = flow.trust * unlike(flow.motion, layers(flow.motion, flow.trust, grid, settings), grid, settings)
        sums[flow.time] += np.bincount(labels[flow.time], moves.ravel(), count) / areas[flow.time]
        measured[flow.time] += 1
    return (sums / np.maximum(measured, 1)).astype(np.float32)
