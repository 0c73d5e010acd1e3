"""The factors of each video: its class, and for the demo data its motion, object and scene."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fbm.data.clips import ClipDataset
from fbm.data.store.manifest import StoredVideo
from fbm.runs.probes import OWN_FACTOR
from fbm.utils.errors import UserError

FILE = "factors.json"
FACTORS = tuple(OWN_FACTOR.values())  # on the demo data the motion is the class

Values = dict[str, str]  # by video


def read_factors(root: Path | None, videos: Sequence[StoredVideo]) -> dict[str, Values]:
    """The value of every factor in every video: motion, object and scene if `root` has them, else the class alone.

    Args:
        root: the data set's folder; None or missing if only the store was kept.

    Raises:
        UserError: the file of the factors is damaged, or lacks a video.
    """
    if root is None or not (root / FILE).is_file():
        return {"class": {video.name: video.action for video in videos}}
    path = root / FILE
    try:
        content = json.loads(path.read_bytes())["videos"]
        return {factor: {video.name: _value(content, video.name, factor) for video in videos} for factor in FACTORS}
    except LookupError as error:
        raise UserError(f"{path} lacks {error.args[0]}: prepare the store from this data set again") from error
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{path} cannot be read ({error}): generate the data set again") from error


def _value(factors: dict[str, dict[str, str]], video: str, factor: str) -> str:
    if video not in factors or factor not in factors[video]:
        raise LookupError(f"the {factor} of {video}")
    return str(factors[video][factor])


def labels(clips: ClipDataset, values: Values) -> np.ndarray:
    """The value of one factor in each clip, as text `N`."""
    return np.array([values[clips.videos[number].name] for number, _ in clips.samples])


def groups(clips: ClipDataset) -> np.ndarray:
    """The group of each clip, int from 0."""
    numbers = [number for number, _ in clips.samples]
    inverse: np.ndarray = np.unique(video_groups(clips)[numbers], return_inverse=True)[1]
    return inverse


def video_groups(clips: ClipDataset) -> np.ndarray:
    """The group of each video, int; UCF-101 numbers the groups of each class from 1."""
    names = [f"{video.action}/{video.group}" for video in clips.videos]
    inverse: np.ndarray = np.unique(names, return_inverse=True)[1]
    return inverse
