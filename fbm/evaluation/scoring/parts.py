"""Scores of the parts that need no factors: how similar they are, and how much motion each holds."""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from torch import Tensor

from fbm import scores
from fbm.data.clips import ClipDataset, evenly_spaced
from fbm.evaluation.probing.factors import groups
from fbm.evaluation.probing.features import features, parts_of, permuted
from fbm.evaluation.probing.intervals import Resampling, Statistic, intervals
from fbm.evaluation.scoring.table import mean
from fbm.evaluation.scoring.variants import recoloured, shuffled
from fbm.models.encoder import Encoder
from fbm.runs.probes import OWN_FACTOR, Interval, Score

MOST_CLIPS = 1000  # of a split, evenly spaced: similarity takes time by the square of their number


class Views(NamedTuple):
    """Feature maps `N C h w` of the same clips: as they are, with other motion, with other appearance."""

    original: Tensor
    same_appearance: Tensor
    same_motion: Tensor


def chosen(clips: ClipDataset) -> list[int]:
    """The samples of a split of which there are views."""
    return evenly_spaced(len(clips), MOST_CLIPS)


def views(encoder: Encoder, clips: ClipDataset, maps: Tensor, advance: Callable[[], None]) -> Views:
    """The views of the chosen clips of a split, whose feature maps `N C h w` are there."""
    samples = chosen(clips)
    changed = (features(encoder, clips, samples, advance, change) for change in (shuffled, recoloured))
    return Views(maps[samples], *changed)


def part_scores(
    trained: Views, untrained: Views, clips: ClipDataset, disentangled: bool, deals: Sequence[int], how: Resampling
) -> list[Score]:
    """Linear CKA of each pair of parts, and the dynamic share of each part, on the chosen clips.

    Args:
        deals: seeds of the permutations of channels.
    """
    names = [*OWN_FACTOR, "all"] if disentangled else ["all"]
    pairs = list(combinations(OWN_FACTOR, 2)) if disentangled else []
    own = groups(clips)[chosen(clips)]
    own = np.unique(own, return_inverse=True)[1]
    bounds = [(0.0, 1.0)] * (len(pairs) + len(names))

    def measured(of: Views) -> list[Interval | None]:
        return intervals(_statistic(_parts(of, disentangled), names, pairs), own, bounds, how)

    dealt = [Views(*(permuted(maps, seed) for maps in trained)) for seed in deals] if disentangled else []
    once = np.ones((1, len(own)))
    null = [_statistic(_parts(deal, disentangled), names, pairs)(once)[:, 0] for deal in dealt]
    rows = []
    for number, (value, control) in enumerate(zip(measured(trained), measured(untrained), strict=True)):
        chance = mean([deal[number] for deal in null])
        if number < len(pairs):
            rows.append(Score("similarity", ", ".join(pairs[number]), value, control, chance))
        else:
            name = names[number - len(pairs)]
            rows.append(Score("dynamics", name, value, control, None if name == "all" else chance))
    return rows


def _parts(of: Views, disentangled: bool) -> list[dict[str, np.ndarray]]:
    return [parts_of(maps, disentangled) for maps in of]


def _statistic(
    parts: Sequence[Mapping[str, np.ndarray]], names: Sequence[str], pairs: Sequence[tuple[str, str]]
) -> Statistic:
    original, shuffled_frames, other_colours = parts

    def statistic(weights: np.ndarray) -> np.ndarray:
        alike = [scores.linear_cka(original[one], original[other], weights) for one, other in pairs]
        dynamic = [
            scores.dynamic_share(original[name], shuffled_frames[name], other_colours[name], weights) for name in names
        ]
        return np.stack([*alike, *dynamic])

    return statistic
