"""Compile the parts of a network for training steps alone."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from fbm.utils.errors import UserError


def compile_networks(network: nn.Module, device: torch.device) -> None:
    """Have the parts of a network compiled when they are first called in training, in place: its state keeps its names.

    The parts and not the whole: tasks call some of them by themselves. Where the network evaluates (validation, test,
    pictures, probes) nothing is compiled: batches of other sizes, without gradient or in another precision, would each
    cost a graph more, until torch gives up compiling the training steps as well.

    Raises:
        UserError: nothing can be compiled for this device here.
    """
    try:
        torch.compile(_tried)(torch.zeros(1, device=device))
    except RuntimeError as error:
        cause = getattr(error, "inner_exception", error)  # torch wraps a back end's own in several lines
        reason = next(iter(str(cause).splitlines()), type(cause).__name__)
        raise UserError(
            f"compile=true: nothing can be compiled for {device} here ({reason}): install a C++ compiler (or name it "
            "in CXX; for a GPU, triton), or leave it out"
        ) from error
    for part in network.children():
        part.forward = _while_training(network, part.forward)


def _while_training(network: nn.Module, forward: Callable[..., Any]) -> Callable[..., Any]:
    compiled = torch.compile(forward)
    return lambda *given: (compiled if network.training else forward)(*given)


def _tried(rows: Tensor) -> Tensor:
    return rows * 2
