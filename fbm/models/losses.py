"""The reconstruction losses, equations (2) to (7), and the adversarial ones. Frames are `B C H W` float, masks `B H W`.

In masks 1 is foreground.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from fbm.models.disentangler import Disentangled, Reconstruction


@dataclass(frozen=True)
class LossWeights:
    """What each term counts in the sum that is minimised; L_total, equation (7) of section 3, has them all at 1.

    Raises:
        ValueError: a weight is below 0 or no finite number, or all are 0.
    """

    first_foreground: float = 1.0
    first_background: float = 1.0
    last_foreground: float = 1.0
    features: float = 1.0

    def __post_init__(self) -> None:
        if not all(0 <= weight < math.inf for weight in astuple(self)) or not any(astuple(self)):
            said = ", ".join(f"{name}={weight}" for name, weight in asdict(self).items())
            raise ValueError(f"task.weights ({said}): each must be a finite number of at least 0, and one above 0")


class DisentanglingLosses(NamedTuple):
    """The four terms of L_total, scalars, as the equations have them: without any weight."""

    first_foreground: Tensor
    first_background: Tensor
    last_foreground: Tensor
    features: Tensor

    @property
    def reconstruction(self) -> Tensor:
        """L_rec, equation (3)."""
        return self.first_foreground + self.first_background + self.last_foreground

    @property
    def total(self) -> Tensor:
        """L_total, equation (7)."""
        return self.weighted(LossWeights())

    def weighted(self, weights: LossWeights) -> Tensor:
        """The sum with these weights."""
        foreground = weights.first_foreground * self.first_foreground
        background = weights.first_background * self.first_background
        return (
            foreground + background + weights.last_foreground * self.last_foreground + weights.features * self.features
        )


def foreground_of(frames: Tensor, masks: Tensor) -> Tensor:
    """x_fg = x * b_fg, equation (2). What is masked out becomes 0: mid grey on the scale [-1, 1]."""
    return frames * masks[:, None]


def background_of(frames: Tensor, masks: Tensor) -> Tensor:
    """x_bg = x * (1 - b_fg), equation (2)."""
    return frames * (1 - masks[:, None])


def foreground_weights(masks: Tensor) -> Tensor:
    """W of equation (6), `B H W`: 1 on background, max(1, A_bg / A_fg) on foreground.

    A frame with an empty mask has no W in the paper; its weights are 0, so it contributes nothing.
    """
    foreground = masks.sum((1, 2), keepdim=True)
    background = masks[0].numel() - foreground
    ratio = (background / foreground.clamp(min=1)).clamp(min=1)
    return torch.where(masks > 0, ratio, torch.ones_like(ratio)) * (foreground > 0)


def foreground_loss(predicted: Tensor, frames: Tensor, masks: Tensor) -> Tensor:
    """L_fg, equation (4): the mean over samples, channels and pixels of W * |error|."""
    error = (predicted - foreground_of(frames, masks)).abs()
    return (foreground_weights(masks)[:, None] * error).mean()


def background_loss(predicted: Tensor, frames: Tensor, masks: Tensor) -> Tensor:
    """L_bg, equation (5): the mean over samples, channels and pixels of |error|."""
    return (predicted - background_of(frames, masks)).abs().mean()


def feature_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """L_feat of equation (7): the mean squared error between G(f_T) as predicted and its pseudo ground truth."""
    return F.mse_loss(predicted, target)


def truth(clip: Tensor, masks: Tensor) -> Reconstruction:
    """What should be reconstructed of clips `B 3 T H W` with masks `B M H W`, first to last."""
    first, last = clip[:, :, 0], clip[:, :, -1]
    return Reconstruction(
        foreground_of(first, masks[:, 0]), background_of(first, masks[:, 0]), foreground_of(last, masks[:, -1])
    )


def disentangling_losses(out: Disentangled, clip: Tensor, masks: Tensor, target: Tensor) -> DisentanglingLosses:
    """All terms for clips `B 3 T H W`, masks `B M H W`, first to last, and the feature target `B C h w`."""
    first, last = clip[:, :, 0], clip[:, :, -1]
    return DisentanglingLosses(
        foreground_loss(out.reconstruction.first_foreground, first, masks[:, 0]),
        background_loss(out.reconstruction.first_background, first, masks[:, 0]),
        foreground_loss(out.reconstruction.last_foreground, last, masks[:, -1]),
        feature_loss(out.last_foreground_features, target),
    )


def adversarial_loss(answers: Sequence[Tensor], judged: Tensor) -> Tensor:
    """What a discriminator costs the network: the cross entropy of its reconstructions being taken for true.

    Args:
        answers: logits `B h w` for each scale, see `PatchDiscriminator`.
        judged: `B` float: 1, or 0 for a sample that counts as nothing.

    Returns:
        The mean over scales, samples and patches: L_adv^G of Mathieu et al. (2016), a scalar.
    """
    return _taken_for(answers, 1.0, judged)


def discriminator_loss(true: Sequence[Tensor], made: Sequence[Tensor], judged: Tensor) -> Tensor:
    """The mean cross entropy of its answers to true and to reconstructed pictures: half of L_adv^D."""
    return (_taken_for(true, 1.0, judged) + _taken_for(made, 0.0, judged)) / 2


def _taken_for(answers: Sequence[Tensor], wanted: float, judged: Tensor) -> Tensor:
    losses = []
    for logits in answers:
        each = F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, wanted), reduction="none")
        losses.append((each.mean((1, 2)) * judged).mean())
    return torch.stack(losses).mean()
