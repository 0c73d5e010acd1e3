"""The reconstruction losses, equations (2) to (7), and the adversarial ones.

Frames are float `B C H W` in [-1, 1], masks float `B H W`, 1 on foreground and 0 elsewhere. A loss is a scalar.
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
    """Weights of the terms in the loss that is minimised; in L_total, equation (7) of section 3, all 1 and `masks` 0.

    Raises:
        ValueError: a weight is negative or not finite, or all are 0.
    """

    first_foreground: float = 1.0
    first_background: float = 1.0
    last_foreground: float = 1.0
    features: float = 1.0
    masks: float = 0.0  # of `mask_loss`, beyond the paper; above 0, masks are predicted

    def __post_init__(self) -> None:
        if not all(0 <= weight < math.inf for weight in astuple(self)) or not any(astuple(self)):
            weights = ", ".join(f"{name}={weight}" for name, weight in asdict(self).items())
            raise ValueError(f"task.weights ({weights}): each must be a finite number of at least 0, and one above 0")


class DisentanglingLosses(NamedTuple):
    """The four terms of L_total, scalars, without weights."""

    first_foreground: Tensor
    first_background: Tensor
    last_foreground: Tensor
    features: Tensor

    @property
    def reconstruction(self) -> Tensor:
        """L_rec, equation (3)."""
        return self.first_foreground + self.first_background + self.last_foreground

    def weighted(self, weights: LossWeights) -> Tensor:
        """The weighted sum; L_total, equation (7), if all weights are 1."""
        return (
            weights.first_foreground * self.first_foreground
            + weights.first_background * self.first_background
            + weights.last_foreground * self.last_foreground
            + weights.features * self.features
        )


def foreground_of(frames: Tensor, masks: Tensor) -> Tensor:
    """x_fg = x * b_fg, equation (2). What is masked out becomes 0: mid grey on the scale [-1, 1]."""
    return frames * masks[:, None]


def background_of(frames: Tensor, masks: Tensor) -> Tensor:
    """x_bg = x * (1 - b_fg), equation (2)."""
    return frames * (1 - masks[:, None])


def foreground_weights(masks: Tensor) -> Tensor:
    """W of equation (6), `B H W`: 1 on background, max(1, A_bg / A_fg) on foreground.

    The paper defines no W for an empty mask; here its weights are 0: such a frame adds nothing to the loss, but counts
    in the mean over the batch.
    """
    foreground = masks.sum((1, 2), keepdim=True)
    background = masks[0].numel() - foreground
    ratio = (background / foreground.clamp(min=1)).clamp(min=1)
    return torch.where(masks > 0, ratio, torch.ones_like(ratio)) * (foreground > 0)


def foreground_loss(predicted: Tensor, frames: Tensor, masks: Tensor) -> Tensor:
    """L_fg, equation (4): the mean over samples, channels and pixels of `W * |error|`."""
    error = (predicted - foreground_of(frames, masks)).abs()
    return (foreground_weights(masks)[:, None] * error).mean()


def background_loss(predicted: Tensor, frames: Tensor, masks: Tensor) -> Tensor:
    """L_bg, equation (5): the mean over samples, channels and pixels of `|error|`."""
    return (predicted - background_of(frames, masks)).abs().mean()


def mask_loss(logits: Tensor, masks: Tensor) -> Tensor:
    """Beyond the paper: the mean over samples, masks and pixels of `W * cross entropy` of predicted masks.

    W is that of equation (6), so an object's pixels together count at least as much as all others.

    Args:
        logits: `B M H W`.
        masks: the true ones, `B M H W`; empty ones add nothing.
    """
    weights = foreground_weights(masks.flatten(0, 1)).view_as(masks)
    return F.binary_cross_entropy_with_logits(logits, masks, weights)


def feature_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """L_feat of equation (7): the mean squared error between G(f_T) as predicted and its pseudo ground truth."""
    return F.mse_loss(predicted, target)


def truth(clip: Tensor, masks: Tensor) -> Reconstruction:
    """The target frames of clips `B 3 T H W` with masks `B M H W`, first to last."""
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


def adversarial_loss(fake: Sequence[Tensor], weight: Tensor) -> Tensor:
    """The network's adversarial loss: cross entropy of a discriminator's logits for reconstructions against "real".

    Args:
        fake: logits `B h w` for each scale, see `PatchDiscriminator`.
        weight: of each sample, `B` float; with 0 it adds nothing, but counts in the mean.

    Returns:
        The mean over scales, samples and patches: L_adv^G of Mathieu et al. (2016), a scalar.
    """
    return _cross_entropy(fake, 1.0, weight)


def discriminator_loss(real: Sequence[Tensor], fake: Sequence[Tensor], weight: Tensor) -> Tensor:
    """Mean cross entropy of the logits for real and for reconstructed pictures: half of L_adv^D.

    Args:
        real, fake: logits `B h w` for each scale.
        weight: of each sample, see `adversarial_loss`.
    """
    return (_cross_entropy(real, 1.0, weight) + _cross_entropy(fake, 0.0, weight)) / 2


def _cross_entropy(logits: Sequence[Tensor], label: float, weight: Tensor) -> Tensor:
    losses = []
    for scale in logits:
        patches = F.binary_cross_entropy_with_logits(scale, torch.full_like(scale, label), reduction="none")
        losses.append((patches.mean((1, 2)) * weight).mean())
    return torch.stack(losses).mean()
