"""What a training step cannot do without: parameters, gradients, optimiser state, and what backward is kept for."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Memory:
    """Bytes. `state` is Adam's two moments; `activations` is what the backward pass was given to keep, once each."""

    parameters: int
    gradients: int
    state: int
    activations: int

    @property
    def total(self) -> int:
        """All of it together."""
        return self.parameters + self.gradients + self.state + self.activations


def needed(loss: Callable[[], Tensor], network: nn.Module) -> Memory:
    """Count it over one forward pass."""
    weights = sum(each.nbytes for each in network.parameters())
    trained = sum(each.nbytes for each in network.parameters() if each.requires_grad)
    own = {each.untyped_storage().data_ptr() for each in network.parameters()}
    kept: dict[int, Tensor] = {}  # by storage; held, so that none is freed and its place used again

    def keep(saved: Tensor) -> Tensor:
        place = saved.untyped_storage().data_ptr()
        if place not in own:
            kept.setdefault(place, saved.detach())
        return saved

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda saved: saved):
        made = loss()
    activations = sum(each.untyped_storage().nbytes() for each in kept.values())
    made.backward()
    return Memory(weights, trained, 2 * trained, activations)
