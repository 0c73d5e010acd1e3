"""A judge of pictures: classifiers of motion, object and scene, trained on real training clips.

Pictures are `N 3 H W` float in [-1, 1]. A single foreground shows its object, a whole frame its scene; only two
foregrounds, the first and the last, show a motion. The judge knows nothing of the encoder that it judges.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from skimage.feature import hog
from torch import Tensor

from fbm.data.clips import ClipDataset, SampleKey
from fbm.evaluation.probing.features import BATCH
from fbm.evaluation.probing.fit import Labelled, trees
from fbm.evaluation.probing.probes import ProbeTarget
from fbm.models.disentangler import foreground_shown
from fbm.models.layers import middle, to_input

CROP = 32  # pixels: the side of a foreground cut out and scaled
LEAST = 8  # pixels that a foreground must show to be cut out


class Shown(NamedTuple):
    """What can be judged of N clips: the foregrounds of their first and last frames, and a first frame as a whole."""

    first: Tensor
    last: Tensor
    frame: Tensor

    def of(self, factor: str) -> list[Tensor]:
        """The pictures by which a factor is judged."""
        return [getattr(self, name) for name in SEEN[factor]]


# What shows each factor, fields of `Shown`.
SEEN = {"motion": ("first", "last"), "object": ("last",), "scene": ("frame",)}


def real(clips: ClipDataset, size: int) -> Shown:
    """What every clip of a split really shows, in its middle window; foregrounds by the store's masks.

    Args:
        size: H and W, the middle of larger frames.
    """
    batches = []
    for start in range(0, len(clips), BATCH):
        batch = clips.batch([SampleKey(0, sample) for sample in range(start, min(start + BATCH, len(clips)))])
        frames = to_input(batch.frames[:, [0, -1]], size)
        foregrounds = frames * middle(batch.masks[:, [0, -1]], size)[:, None].float()
        batches.append(Shown(foregrounds[:, :, 0], foregrounds[:, :, 1], frames[:, :, 0]))
    return Shown(*(torch.cat(pictures) for pictures in zip(*batches, strict=True)))


def inputs(factor: str, pictures: Sequence[Tensor]) -> np.ndarray:
    """What the judge sees for a factor, `N D`, of the pictures that `SEEN` names."""
    if factor == "scene":
        return np.stack([_pattern(picture) for picture in _grey(*pictures)])
    if factor == "object":
        return np.stack([_outline(*one) for one in _foregrounds(*pictures)])
    first, last = map(_foregrounds, pictures)
    return np.stack([_displacement(*before, *after) for before, after in zip(first, last, strict=True)])


class Judge:
    """Classifiers of the factors.

    Args:
        shown: of the training clips.
        targets: their factors: motion, object and scene.
    """

    def __init__(self, shown: Shown, targets: Mapping[str, ProbeTarget]) -> None:
        # Each object in its first frame too, each motion backwards too: no motion of the demo data has a direction.
        reversed_ = Shown(shown.last, shown.first, shown.frame)
        self.models: dict[str, Any] = {}
        for factor, target in targets.items():
            labels, seen = target.labels["train"], inputs(factor, shown.of(factor))
            if factor != "scene":
                labels, seen = np.tile(labels, 2), np.concatenate([seen, inputs(factor, reversed_.of(factor))])
            self.models[factor] = trees(Labelled(seen, labels))

    def correct(self, factor: str, pictures: Sequence[Tensor], labels: np.ndarray) -> np.ndarray:
        """Which of N clips are of their label by the pictures that `SEEN` names, bool `N`."""
        right: np.ndarray = self.models[factor].predict(inputs(factor, pictures)) == labels
        return right


def _grey(pictures: Tensor) -> np.ndarray:
    grey: np.ndarray = pictures.float().mean(1).cpu().numpy()
    return grey


def _foregrounds(pictures: Tensor) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Each foreground in grey, `H W` with 0 around it, and where it shows, bool `H W`."""
    shown = foreground_shown(pictures.float()).cpu().numpy()
    return zip(_grey(pictures) * shown, shown, strict=True)


def _pattern(grey: np.ndarray) -> np.ndarray:
    """Mean and deviation, over the picture's 8 x 8 cells, of their histograms of oriented gradients."""
    cell = max(2, len(grey) // 8)
    cells = hog(grey, 8, (cell, cell), (2, 2), feature_vector=False)
    return np.concatenate([cells.mean((0, 1)).ravel(), cells.std((0, 1)).ravel()])


def _cut_out(picture: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """The picture around what is shown, with its proportions, `CROP CROP`."""
    rows, columns = np.nonzero(shown)
    if len(rows) < LEAST:
        return np.zeros((CROP, CROP), np.float32)
    half = max(np.ptp(rows), np.ptp(columns)) / 2 + 1.5
    scale = CROP / (2 * half)
    middle = (rows.min() + rows.max()) / 2, (columns.min() + columns.max()) / 2
    place = np.array([[scale, 0, CROP / 2 - middle[1] * scale], [0, scale, CROP / 2 - middle[0] * scale]])
    return np.asarray(cv2.warpAffine(picture.astype(np.float32), place, (CROP, CROP)))


def _outline(grey: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Histograms of oriented gradients of what is shown, and of its outline."""
    return np.concatenate([hog(_cut_out(picture, shown), 8, (8, 8), (2, 2)) for picture in (grey, shown)])


def _displacement(grey: np.ndarray, shown: np.ndarray, grey_after: np.ndarray, shown_after: np.ndarray) -> np.ndarray:
    """How place, size and proportions change from one foreground to another, and how alike they are."""
    x, y, *sizes = _placed(shown_after) - _placed(shown)
    one, other = _cut_out(grey, shown), _cut_out(grey_after, shown_after)
    apart = np.sqrt(((one**2).sum() * (other**2).sum()).clip(1e-12))
    overlap = (shown & shown_after).sum() / max(1, (shown | shown_after).sum())
    likeness = overlap, np.abs(one - other).mean(), (one * other).sum() / apart
    return np.array([x, y, abs(x), abs(y), np.hypot(x, y), *sizes, *np.abs(sizes), *likeness])


def _placed(shown: np.ndarray) -> np.ndarray:
    """Centre, root of the area, and spread in columns and rows, in shares of the picture; 0 if too little is shown."""
    rows, columns = np.nonzero(shown)
    if len(rows) < LEAST:
        return np.zeros(5)
    return np.array([columns.mean(), rows.mean(), np.sqrt(len(rows)), columns.std(), rows.std()]) / len(shown)
