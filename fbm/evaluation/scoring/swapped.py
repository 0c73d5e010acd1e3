"""Swap accuracy: what a judge says of frames decoded from one part of one clip and the other parts of another."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from fbm.data.clips import ClipDataset
from fbm.evaluation.probing.factors import groups
from fbm.evaluation.probing.features import BATCH
from fbm.evaluation.probing.intervals import Resampling, intervals, shares
from fbm.evaluation.probing.probes import ProbeTarget
from fbm.evaluation.probing.swaps import compose
from fbm.evaluation.scoring.judge import SEEN, Judge, real
from fbm.evaluation.scoring.table import mean
from fbm.models.disentangler import Disentangler, split_features
from fbm.runs.probes import OWN_FACTOR, Interval, Score

PARTNERS = 2  # of each clip: other test clips, drawn at random, always the same ones
OF = {part: ("background" if part == "background" else "motion") for part in OWN_FACTOR}


class Answers(NamedTuple):
    """Whether the judge sees the source's factor: bool `M`, of M pictures, and the clip that is the source, int `M`."""

    correct: np.ndarray
    source: np.ndarray


class Swaps:
    """The judge and the clips of a store, with which several encoders are measured.

    Args:
        clips: of the splits.
        targets: motion, object and scene, by name.
        size: of the encoders' clips, pixels.
    """

    def __init__(
        self, clips: Mapping[str, ClipDataset], targets: Mapping[str, ProbeTarget], how: Resampling, size: int
    ) -> None:
        self.targets, self.how = targets, how
        self.groups = groups(clips["test"])
        self.judge = Judge(real(clips["train"], size), targets)
        self.shown = real(clips["test"], size)

    def scores(
        self,
        network: Disentangler,
        trained: Tensor,
        untrained: Tensor,
        deals: Sequence[int],
        advance: Callable[[], None] = lambda: None,
    ) -> list[Score]:
        """What the judge says of swaps, of reconstructions without a swap, and of real test clips.

        Args:
            network: in evaluation mode; its decoders decode the features of all encoders.
            trained, untrained: feature maps of all test clips, `N C h w`, of its encoder and of the one it began with.
            deals: seeds of the permutations of channels.
            advance: called once for every factor.
        """
        plain, numbers = range(trained.shape[1]), np.arange(len(trained))
        dealt = [np.random.default_rng(seed).permutation(trained.shape[1]).tolist() for seed in deals]
        partners = [drawn_partners(len(numbers), seed) for seed in range(PARTNERS)]

        def judged(maps: Tensor, part: str, others: Sequence[np.ndarray]) -> Interval | None:
            return self._interval(self._answers(network, maps, part, plain, others))

        rows = []
        for part, factor in OWN_FACTOR.items():
            target = self.targets[factor]
            null = [self._answers(network, trained, part, deal, partners).correct for deal in dealt]
            null_mean = mean([correct.mean() for correct in null if len(correct)])
            swapped = judged(trained, part, partners), judged(untrained, part, partners)
            own = judged(trained, part, [numbers]), judged(untrained, part, [numbers])
            truth = Answers(self.judge.correct(factor, self.shown.of(factor), target.labels["test"]), numbers)
            rows += [
                Score("swaps", f"{factor}, swapped", swapped[0], swapped[1], null_mean, target.chance),
                Score("swaps", f"{factor}, not swapped", own[0], own[1], None, target.chance),
                Score("swaps", f"{factor}, real clips", self._interval(truth), chance=target.chance),
            ]
            advance()
        return rows

    def _answers(
        self, network: Disentangler, maps: Tensor, part: str, order: Sequence[int], partners: Sequence[np.ndarray]
    ) -> Answers:
        """Decode each clip with each of its partners and ask for the factor of `part`.

        The motion of a partner is given to a clip's foreground, or its background set behind it. Pairs of the same
        value are left out, as either source could have given it, unless a clip is its own partner.
        """
        factor, moving = OWN_FACTOR[part], OF[part]
        labels = self.targets[factor].labels["test"]
        correct, sources = [], []
        for partner in partners:
            rows = np.arange(len(maps))
            source = rows if part == "foreground" else partner
            telling = np.flatnonzero((labels[rows] != labels[partner]) | (rows == partner))
            if not len(telling):
                continue
            pictures = decoded(network, maps[telling], maps[partner[telling]], moving, order, factor)
            source = source[telling]
            correct.append(self.judge.correct(factor, pictures, labels[source]))
            sources.append(source)
        if not correct:
            return Answers(np.zeros(0, bool), np.zeros(0, int))
        return Answers(np.concatenate(correct), np.concatenate(sources))

    def _interval(self, answers: Answers) -> Interval | None:
        """The share that is correct, with its interval over the groups of the sources."""
        if not len(answers.correct):
            return None
        own = np.unique(self.groups[answers.source], return_inverse=True)[1]
        return intervals(lambda weights: shares(answers.correct[None], weights), own, [(0.0, 1.0)], self.how)[0]


def drawn_partners(count: int, seed: int) -> np.ndarray:
    """Another clip for each of so many, `N` int; every clip is the partner of one."""
    order = np.random.default_rng(seed).permutation(count)
    partners = np.empty_like(order)
    partners[order] = np.roll(order, 1)
    return partners


@torch.no_grad()
def decoded(
    network: Disentangler, one: Tensor, other: Tensor, part: str, order: Sequence[int], factor: str
) -> list[Tensor]:
    """The pictures by which a factor is judged, made of features `N C h w` with the channels of `part` of others.

    Args:
        order: of the channels; a permutation takes as many, but other channels than those of the part.
    """
    place = torch.arange(one.shape[1])[None, :, None, None]
    taken = torch.as_tensor(np.asarray(order))[getattr(split_features(place), part).flatten()]
    mixed = one.clone()
    mixed[:, taken] = other[:, taken]
    made = [_pictures(network, maps, factor) for maps in mixed.split(BATCH)]
    return [torch.cat(pictures) for pictures in zip(*made, strict=True)]


def _pictures(network: Disentangler, maps: Tensor, factor: str) -> list[Tensor]:
    """See `SEEN`; no frame is decoded that the judge does not see."""
    features = split_features(maps.to(next(network.parameters()).device))
    if factor == "scene":
        made = network.decode(features, ("first_foreground", "first_background"))
        return [compose(*made.values()).cpu()]
    made = network.decode(features, [f"{name}_foreground" for name in SEEN[factor]])
    return [frames.cpu() for frames in made.values()]
