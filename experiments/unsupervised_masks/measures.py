"""What masks are measured with, the two baselines that ours should be above, and small pictures."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image


def iou(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Intersection over union of bool `T H W`, float `T`; 1 where both are empty."""
    both, either = (found & true).sum((1, 2)), (found | true).sum((1, 2))
    return np.where(either > 0, both / np.maximum(either, 1), 1.0)


def centre_box(frames: np.ndarray) -> np.ndarray:
    """A box of a quarter of the frame's area in its middle."""
    height, width = frames.shape[1:3]
    masks = np.zeros(frames.shape[:3], bool)
    masks[:, height // 4 : height - height // 4, width // 4 : width - width // 4] = True
    return masks


def flow_threshold(frames: np.ndarray) -> np.ndarray:
    """DIS flow to the next frame, its distance from the frame's median motion, cut by Otsu's method."""
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
    method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    masks = np.zeros(frames.shape[:3], bool)
    for time, first in enumerate(grey):
        second = grey[time + 1] if time + 1 < len(grey) else grey[time - 1]
        flow = method.calc(first, second, None)
        away = np.linalg.norm(flow - np.median(flow.reshape(-1, 2), axis=0), axis=2)
        levels = (away * (255 / max(float(away.max()), 1e-6))).astype(np.uint8)
        masks[time] = cv2.threshold(levels, 0, 255, cv2.THRESH_OTSU)[1] > 0
    return masks


def save(path: Path, picture: np.ndarray) -> None:
    """Write uint8 `H W 3` as a small PNG of 256 colours."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).quantize(256).save(path, optimize=True)
