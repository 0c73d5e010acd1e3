"""Dense optical flow between the frames of a video, and how far it can be trusted."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

SPARSE = 2  # frames from one pair to the next at distances above one: they cost as much, and add less
SMALLEST = 16  # pixels: DIS needs a patch and its surroundings
TRUST = 0.1  # allowed forward-backward error, as a share of the flow's length
STRIDE, DESCENTS, SMOOTHINGS = 5, 12, 2  # of DIS: a third of the cost of OpenCV's "medium", with the same masks


@dataclass(frozen=True)
class Flow:
    """Motion of one frame.

    Attributes:
        time: the number of the frame.
        motion: float32 `h w 2`, pixels to where each pixel is in another frame.
        trust: float32 `h w` in [0, 1], near one where the flow back leads to the same place.
    """

    time: int
    motion: np.ndarray
    trust: np.ndarray


def flows(grey: Sequence[np.ndarray], distances: Sequence[int], slip: float, part: slice) -> Iterator[Flow]:
    """Flow of each frame to those before and after it, by dense inverse search (Kroeger et al., ECCV 2016).

    Args:
        grey: uint8 `H W` each.
        distances: of the two frames of a pair.
        slip: forward-backward error, in pixels, up to which flow is trusted.
        part: the rows, and the columns, for which flow is given; it is computed for all.
    """
    method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    method.setFinestScale(0)  # the preset stops at half the size, which blurs what is small
    method.setPatchStride(STRIDE)
    method.setGradientDescentIterations(DESCENTS)
    method.setVariationalRefinementIterations(SMOOTHINGS)
    y, x = np.mgrid[: grey[0].shape[0], : grey[0].shape[1]].astype(np.float32)
    places = np.ascontiguousarray(x[part, part]), np.ascontiguousarray(y[part, part])
    for distance in distances:
        for time in range(0, len(grey) - distance, 1 if distance == 1 else SPARSE):
            forth = _flow(method, grey[time], grey[time + distance])
            back = _flow(method, grey[time + distance], grey[time])
            for at, flow, other in ((time, forth, back), (time + distance, back, forth)):
                motion = np.ascontiguousarray(flow[part, part])
                yield Flow(at, motion, _trust(motion, other, places, slip))


def _flow(method: cv2.DISOpticalFlow, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    # OpenCV's declaration of `calc` lacks None, which has it make the array.
    height, width = first.shape
    if min(height, width) >= SMALLEST:
        return method.calc(first, second, None)  # type: ignore[call-overload,no-any-return]
    down, right = max(0, SMALLEST - height), max(0, SMALLEST - width)
    padded = [cv2.copyMakeBorder(grey, 0, down, 0, right, cv2.BORDER_REPLICATE) for grey in (first, second)]
    return method.calc(*padded, None)[:height, :width]  # type: ignore[call-overload,no-any-return]


def _trust(motion: np.ndarray, other: np.ndarray, places: tuple[np.ndarray, np.ndarray], slip: float) -> np.ndarray:
    x, y = places[0] + motion[..., 0], places[1] + motion[..., 1]
    back = cv2.remap(other, x, y, cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE)
    missed = ((back + motion) ** 2).sum(-1)
    allowed = slip + TRUST * np.sqrt((motion**2).sum(-1))
    return np.exp(-missed / allowed**2)  # type: ignore[no-any-return]
