"""Counting parameters."""

from torch import nn


def millions(network: nn.Module) -> float:
    """Trainable parameters, in millions."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad) / 1e6
