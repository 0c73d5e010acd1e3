"""Adversarial training of the reconstructions: discriminators, and the losses of both sides in one backward pass."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from fbm.models.discriminator import PatchDiscriminator
from fbm.models.disentangler import Reconstruction
from fbm.models.losses import adversarial_loss, discriminator_loss
from fbm.tasks.quality import frames_with_loss


class Adversarial(NamedTuple):
    """The losses of both sides, scalars."""

    adversarial: Tensor  # of the network; gives the discriminators no gradient
    discriminator: Tensor  # of the discriminators; gives the network no gradient


class PatchGANLoss(nn.Module):
    """A discriminator for foregrounds and one for backgrounds, as there is a decoder for each.

    Args:
        width, scales: see `PatchDiscriminator`.
        lr: their learning rate; None takes the network's. The schedule is shared.
    """

    def __init__(self, width: int = 16, scales: int = 2, lr: float | None = None) -> None:
        super().__init__()
        if width < 1 or scales < 1 or (lr is not None and lr <= 0):
            raise ValueError(f"task.discriminator: width={width}, scales={scales} and lr={lr} must be above 0")
        self.lr = lr
        self.foreground = PatchDiscriminator(width, scales)
        self.background = PatchDiscriminator(width, scales)

    def forward(self, first_frame: Tensor, fake: Reconstruction, real: Reconstruction, masks: Tensor) -> Adversarial:
        """The losses of a batch.

        Args:
            first_frame: of the clips, `B 3 H W`.
            fake, real: the reconstruction and its target.
            masks: first to last, `B M H W`: frames without a loss have weight 0.
        """
        first, background, last = (counted.to(masks.dtype) for counted in frames_with_loss(masks))
        foregrounds = self._losses(
            self.foreground,
            torch.cat([first_frame, first_frame]),
            torch.cat([fake.first_foreground, fake.last_foreground]),
            torch.cat([real.first_foreground, real.last_foreground]),
            torch.cat([first, last]),
        )
        backgrounds = self._losses(
            self.background, first_frame, fake.first_background, real.first_background, background
        )
        return Adversarial(
            torch.stack([foregrounds.adversarial, backgrounds.adversarial]).mean(),
            torch.stack([foregrounds.discriminator, backgrounds.discriminator]).mean(),
        )

    def _losses(
        self, discriminator: PatchDiscriminator, first_frame: Tensor, fake: Tensor, real: Tensor, weight: Tensor
    ) -> Adversarial:
        loss = discriminator_loss(discriminator(first_frame, real), discriminator(first_frame, fake.detach()), weight)
        with frozen(discriminator):
            return Adversarial(adversarial_loss(discriminator(first_frame, fake), weight), loss)

    def param_group(self) -> dict[str, Any]:
        """Its parameters for the optimiser, without decay: spectral norm cancels the size of a weight anyway."""
        group: dict[str, Any] = {"params": list(self.parameters()), "weight_decay": 0.0}
        if self.lr is not None:
            group["lr"] = self.lr
        return group


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Computations inside pass gradients on, but give the network's weights none."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)
