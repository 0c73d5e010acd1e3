"""`masks=boxes`: the union of a frame's annotated boxes, as in the paper's experiment."""

import hashlib
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from fbm.data.annotations import PERSON, Annotation, read_pickle, read_xgtf
from fbm.data.masks.source import DecodedVideo, InvalidMasks, MaskError, MaskSource, VideoMasks
from fbm.utils.errors import UserError


def rasterise(boxes: np.ndarray, frames: int, width: int, height: int, size: int) -> np.ndarray:
    """The union of each frame's boxes, scaled to `size` and clipped to the frame.

    Args:
        boxes: int `N 5`: frame, x, y, width, height in pixels of a `width` x `height` video.
        frames: T; boxes that do not fit are left out, see `fits`.
        size: of the square mask in pixels.

    Returns:
        bool `T size size`; False everywhere in a frame without boxes. A box keeps at least one pixel.
    """
    masks = np.zeros((frames, size, size), dtype=bool)
    scale = np.array([size / width, size / height])
    boxes = boxes[fits(boxes, frames, width, height)]
    corners, ends = boxes[:, 1:3], boxes[:, 1:3] + boxes[:, 3:5]
    # Clipped before widening to one pixel, or a thin box at the far edge would be lost.
    first = np.clip(np.rint(corners * scale).astype(int), 0, size - 1)
    last = np.clip(np.rint(ends * scale).astype(int), first + 1, size)
    for frame, (x0, y0), (x1, y1) in zip(boxes[:, 0], first, last, strict=True):
        masks[frame, y0:y1, x0:x1] = True
    return masks


def tight_boxes(masks: np.ndarray) -> np.ndarray:
    """Bool `T H W` to bool `T H W`: the smallest upright box around each mask, nothing around an empty one."""
    boxes = np.zeros_like(masks)
    for box, mask in zip(boxes, masks, strict=True):
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        if len(rows):
            box[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    return boxes


Misfits = Literal["leave_out"] | None
USE_THE_REST = "masks.source.misfits=leave_out uses what fits"


def fits(boxes: np.ndarray, frames: int, width: int, height: int) -> np.ndarray:
    """Which boxes, int `N 5`, are in a frame of the video and overlap the picture: bool `N`."""
    return np.asarray((boxes[:, 0] >= 0) & (boxes[:, 0] < frames) & ~_outside(boxes, width, height))


def _outside(boxes: np.ndarray, width: int, height: int) -> np.ndarray:
    """Which boxes are empty or do not overlap the picture."""
    x, y, w, h = boxes[:, 1:].T
    return np.asarray((x >= width) | (y >= height) | (x + w <= 0) | (y + h <= 0) | (w <= 0) | (h <= 0))


def mismatch(annotation: Annotation, frames: int, width: int, height: int) -> str | None:
    """The reason why an annotation does not fit a video of `frames` frames of `width` x `height` pixels, or None.

    A box that only extends beyond the edge fits: it is clipped, as in the reference program.
    """
    boxes = annotation.boxes
    if annotation.frames is not None and annotation.frames != frames:
        return f"its annotation is for {annotation.frames} frames, the video has {frames}"
    if len(boxes) and boxes[-1, 0] >= frames:
        return f"its annotation has a box in frame {boxes[-1, 0] + 1}, the video has {frames} frames"
    if len(boxes) and boxes[0, 0] < 0:
        return f"its annotation has a box in frame {boxes[0, 0] + 1}, before the first"
    outside = _outside(boxes, width, height)
    if outside.any():
        frame, *box = (int(number) for number in boxes[outside][0])
        return (
            f"its annotation has {outside.sum()} boxes that are empty or outside the {width} x {height} frame, "
            f"the first x y w h = {box} in frame {frame + 1}"
        )
    return None


@dataclass(frozen=True)
class VideoBoxes(VideoMasks):
    """One video's boxes, rasterised once the video's size is known."""

    annotation: Annotation
    misfits: Misfits = None

    @property
    def fingerprint(self) -> str:
        content = f"{self.annotation.frames}".encode() + self.annotation.boxes.tobytes()
        return hashlib.sha256(content + (self.misfits or "").encode()).hexdigest()[:16]

    def validate(self, frames: int, width: int, height: int) -> str | None:
        reason = mismatch(self.annotation, frames, width, height)
        if reason is None:
            return None
        fitting = fits(self.annotation.boxes, frames, width, height).any()
        if self.misfits is None:
            return f"{reason}; {USE_THE_REST}" if fitting else reason
        return None if fitting or not len(self.annotation.boxes) else f"{reason}; no box of it fits"

    def unused(self, frames: int, width: int, height: int) -> str:
        parts = []
        if reason := mismatch(self.annotation, frames, width, height):
            fitting = int(fits(self.annotation.boxes, frames, width, height).sum())
            parts.append(f"{reason}; {fitting} of its {len(self.annotation.boxes)} boxes are used")
        if others := Counter(self.annotation.others):
            names = ", ".join(f"{count} {name!r}" for name, count in sorted(others.items()))
            parts.append(f"objects of its annotation that are not named {PERSON} are not used: {names}")
        return "; ".join(parts)

    def compute(self, video: DecodedVideo) -> np.ndarray:
        frames, size = video.frames.shape[:2]
        if reason := self.validate(frames, video.width, video.height):
            raise MaskError(reason)
        return rasterise(self.annotation.boxes, frames, video.width, video.height, size)


class BoxMasks(MaskSource):
    """Boxes from a corrected pickle or a folder of `CLASS/v_CLASS_gXX_cYY.xgtf` files.

    Args:
        root: of the data set; without `annotations`, its folder `annotations` is read.
        annotations: a `.pkl` file, or a folder with one or with `.xgtf` files.
        misfits: what to do with an annotation for another number of frames, or with boxes that are empty or outside:
            None rejects the video, "leave_out" uses what fits and notes in the manifest what does not.

    Raises:
        UserError: unknown value of `misfits`.
    """

    def __init__(self, root: Path | None, annotations: Path | None = None, misfits: Misfits = None) -> None:
        if misfits not in (None, "leave_out"):
            raise UserError(f"masks.source.misfits={misfits}: it should be leave_out or null")
        self.misfits = misfits
        self.given = annotations is not None
        self.place = Path(annotations) if annotations is not None else Path(root or ".") / "annotations"

    def masks_for(self, name: str) -> VideoMasks | None:
        """The boxes of video `name`, or None if it has none.

        Raises:
            UserError: the annotations do not exist, or their pickle is damaged. A damaged `.xgtf` file concerns one
                video only and is reported as that video's.
        """
        if self._pickled is not None:
            annotation = self._pickled.get(name)
        else:
            path = self.place / f"{name}.xgtf"
            try:
                annotation = read_xgtf(path) if path.is_file() else None
            except UserError as error:
                return InvalidMasks(str(error))
        return None if annotation is None else VideoBoxes(annotation, self.misfits)

    @cached_property
    def _pickled(self) -> dict[str, Annotation] | None:
        """The annotations of all videos if there is a pickle; None if `.xgtf` files are to be read one by one."""
        if self.place.is_file():
            return read_pickle(self.place)
        if not self.place.is_dir():
            if self.given:
                raise UserError(f"data.annotations={self.place}: no such file or folder")
            return {}  # a data set without annotations: empty masks, which only some tasks refuse
        pickles = sorted(self.place.glob("*.pkl"))
        if len(pickles) > 1:
            raise UserError(f"{self.place} holds {len(pickles)} pickles: name one, data.annotations={pickles[0]}")
        return read_pickle(pickles[0]) if pickles else None
