"""Versions of a clip that tell what a network looks at: frames uint8 `T H W 3`, masks bool `T H W`, of the foreground.

After HAT (Chung et al., 2022), and SCUBA and SCUFO (Li et al., 2023). Their masks are of people, by a segmentation
network; here they are those of the store, and boxes take some background along.
"""

import cv2
import numpy as np

RADIUS = 3  # pixels around a gap from which OpenCV fills it
PERIODS = (2.0, 8.0)  # of stripes, from and to, across a frame


def foreground_only(frames: np.ndarray, masks: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """The foreground on one colour, uint8 `3`."""
    return np.where(masks[..., None], frames, colour)


def background_only(frames: np.ndarray, masks: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """Each frame with its foreground filled from around it (Telea's inpainting), or with `colour` if nothing is around.

    The fill moves with the mask, so that traces of the motion remain.
    """
    made = np.empty_like(frames)
    for frame, mask, out in zip(frames, masks, made, strict=True):
        gap = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8))
        out[:] = colour if gap.all() else cv2.inpaint(frame, gap, RADIUS, cv2.INPAINT_TELEA)
    return made


def on_background(frames: np.ndarray, masks: np.ndarray, background: np.ndarray) -> np.ndarray:
    """The foreground on another background, `T H W 3` or one frame `H W 3`."""
    return np.where(masks[..., None], frames, background)


def stripes(size: int, rng: np.random.Generator) -> np.ndarray:
    """Sinusoidal stripes of random direction, width and colours: uint8 `size size 3`."""
    angle, periods, phase = rng.uniform(0, np.pi), rng.uniform(*PERIODS), rng.uniform(0, 2 * np.pi)
    across = np.linspace(0, 1, size)
    wave = np.sin(2 * np.pi * periods * (np.cos(angle) * across + np.sin(angle) * across[:, None]) + phase)
    first, second = rng.uniform(0, 255, (2, 3))
    share = (wave[..., None] + 1) / 2
    made: np.ndarray = np.rint(share * first + (1 - share) * second).astype(np.uint8)
    return made


def still(frames: np.ndarray) -> np.ndarray:
    """The middle frame in every frame's place."""
    return np.broadcast_to(frames[len(frames) // 2], frames.shape)


def shuffled(frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The frames in a random order."""
    made: np.ndarray = frames[rng.permutation(len(frames))]
    return made
