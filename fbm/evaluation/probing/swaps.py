"""Swaps: the motion of one clip given to the foreground of another, one foreground set before another background."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from fbm.data.clips import ClipDataset, evenly_spaced
from fbm.models.disentangler import Disentangler, Features, foreground_shown, split_features

SOURCES = 6  # clips on each margin
MOTION = "The last foreground: each row's foreground, moved by each column's motion (framed: its own)"
BACKGROUND = "Each row's foreground before each column's background (framed: its own)"


class Margin(NamedTuple):
    """What stands beside the rows or above the columns: N clips, each with two pictures.

    Attributes:
        source: what is taken from these clips.
        names: of the N clips.
        shows: what the two pictures are.
        pictures: `N 2 3 H W` in [-1, 1].
    """

    source: str
    names: tuple[str, ...]
    shows: tuple[str, str]
    pictures: Tensor


class Grid(NamedTuple):
    """N x N pictures `N N 3 H W` in [-1, 1], each made from the source of its row and the source of its column."""

    title: str
    rows: Margin
    columns: Margin
    cells: Tensor


def chosen_samples(clips: ClipDataset, count: int = SOURCES) -> list[int]:
    """Samples spread evenly over a split, one a class where there are as many classes; always the same ones."""
    labels = np.array([clips.labels[number] for number, _ in clips.samples])
    kinds = np.unique(labels)
    if len(kinds) < count:
        return evenly_spaced(len(labels), count)
    taken = kinds[evenly_spaced(len(kinds), count)]
    own = [np.flatnonzero(labels == kind) for kind in taken]
    return [int(samples[len(samples) * (2 * place + 1) // (2 * count)]) for place, samples in enumerate(own)]


@torch.no_grad()
def swaps(network: Disentangler, clips: Tensor, names: Sequence[str]) -> dict[str, Grid]:
    """Two grids over the same clips `N 3 T H W`, by name: `motion` and `background`.

    Args:
        network: in evaluation mode.
        names: of the N clips.
    """
    own = split_features(network.encoder(clips))
    numbers = torch.arange(len(clips), device=clips.device)
    row, column = numbers.repeat_interleave(len(clips)), numbers.repeat(len(clips))
    # The foreground of the row's clip, with the motion and the background of the column's.
    mixed = Features(own.motion[column], own.foreground[row], own.background[column])
    made = network.reconstruct(mixed).reconstruction
    alone = network.reconstruct(own).reconstruction
    first, last, names = clips[:, :, 0], clips[:, :, -1], tuple(names)
    decoded = ("first frame", "decoded")
    foregrounds = Margin("foreground of", names, decoded, torch.stack([first, alone.first_foreground], 1))
    motions = Margin("motion of", names, ("first frame", "last frame"), torch.stack([first, last], 1))
    backgrounds = Margin("background of", names, decoded, torch.stack([first, alone.first_background], 1))
    side = (len(clips), len(clips), *first.shape[1:])
    composed = compose(made.first_foreground, made.first_background).view(side)
    return {
        "motion": Grid(MOTION, foregrounds, motions, made.last_foreground.view(side)),
        "background": Grid(BACKGROUND, foregrounds, backgrounds, composed),
    }


def compose(foregrounds: Tensor, backgrounds: Tensor) -> Tensor:
    """Foregrounds `B 3 H W` where they show anything, backgrounds elsewhere."""
    return torch.where(foreground_shown(foregrounds)[:, None], foregrounds, backgrounds)
