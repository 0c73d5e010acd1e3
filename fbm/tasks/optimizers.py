"""Parameter groups of the optimisers, and rates that follow the batch."""

from collections.abc import Callable, Iterable
from typing import Any

from torch import nn
from torch.optim import Optimizer

from fbm.models.layers import NORMS


def parameter_groups(network: nn.Module) -> list[dict[str, Any]]:
    """Two groups: the norms' parameters without weight decay, all others with the optimiser's own rate.

    Plain Adam adds the decay to the gradient, as the paper does.
    """
    norms = {
        id(parameter) for layer in network.modules() if isinstance(layer, NORMS) for parameter in layer.parameters()
    }
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    decayed = [parameter for parameter in trained if id(parameter) not in norms]
    others = [parameter for parameter in trained if id(parameter) in norms]
    groups: list[dict[str, Any]] = [{"params": decayed}]
    return [*groups, {"params": others, "weight_decay": 0.0}] if others else groups


def scaled_rates(
    make: Callable[[Iterable[dict[str, Any]]], Optimizer], factor: float, groups: Iterable[dict[str, Any]]
) -> Optimizer:
    """The optimiser that `make` makes of these groups, with every group's learning rate multiplied."""
    optimizer = make(groups)
    for group in optimizer.param_groups:
        group["lr"] *= factor
    return optimizer
