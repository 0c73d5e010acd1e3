"""Adversarial training of the reconstructions: the discriminators, and both sides' losses, in one backward pass."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from fbm.models.discriminator import PatchDiscriminator
from fbm.models.disentangler import Reconstruction
from fbm.models.losses import adversarial_loss, discriminator_loss


class Adversarial(NamedTuple):
    """Both sides' losses, scalars."""

    adversarial: Tensor  # the network's; no gradient of it reaches the discriminators
    discriminator: Tensor  # the discriminators'; no gradient of it reaches the network


class PatchGANLoss(nn.Module):
    """A discriminator for foregrounds and one for backgrounds, as there is a decoder for each.

    Args:
        width, scales: see `PatchDiscriminator`.
        lr: their learning rate; None takes the network's. The schedule is the same.
    """

    def __init__(self, width: int = 16, scales: int = 2, lr: float | None = None) -> None:
        super().__init__()
        if width < 1 or scales < 1 or (lr is not None and lr <= 0):
            raise ValueError(f"task.discriminator: width={width}, scales={scales} and lr={lr} must be above 0")
        self.lr = lr
        self.foreground = PatchDiscriminator(width, scales)
        self.background = PatchDiscriminator(width, scales)

    def forward(self, first_frame: Tensor, made: Reconstruction, true: Reconstruction, masks: Tensor) -> Adversarial:
        """The losses of a batch.

        Args:
            first_frame: of the clips, `B 3 H W`.
            made, true: what was reconstructed, and what should have been.
            masks: first to last, `B M H W`: a foreground whose mask is empty is not judged, as it has no loss.
        """
        seen = [masks[:, frame].flatten(1).amax(1) for frame in (0, -1)]
        frames = torch.cat([first_frame, first_frame])
        pairs = [
            self._judge(
                *(self.foreground, frames),
                torch.cat([made.first_foreground, made.last_foreground]),
                torch.cat([true.first_foreground, true.last_foreground]),
                torch.cat(seen),
            ),
            self._judge(
                *(self.background, first_frame, made.first_background, true.first_background),
                torch.ones_like(seen[0]),
            ),
        ]
        return Adversarial(*(torch.stack(losses).mean() for losses in zip(*pairs, strict=True)))

    def _judge(
        self, network: PatchDiscriminator, frames: Tensor, made: Tensor, true: Tensor, judged: Tensor
    ) -> Adversarial:
        taken_for_true = network(frames, true)
        loss = discriminator_loss(taken_for_true, network(frames, made.detach()), judged)
        with _fixed(network):
            return Adversarial(adversarial_loss(network(frames, made), judged), loss)

    def param_group(self) -> dict[str, Any]:
        """Its parameters for the optimiser. No decay: spectral norm takes a weight's size out anyway."""
        settings = {} if self.lr is None else {"lr": self.lr}
        return {"params": list(self.parameters()), "weight_decay": 0.0, **settings}


@contextmanager
def _fixed(network: nn.Module) -> Iterator[None]:
    """What is computed inside passes gradients on, and leaves none in the weights."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)
