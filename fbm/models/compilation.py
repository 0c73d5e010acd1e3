"""Compile the parts of a network, for training steps only."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from fbm.utils.errors import UserError


def compile_networks(network: nn.Module, device: torch.device) -> None:
    """Compile the children of a network at their first call in training, in place; names of its state are kept.

    The children and not the whole: tasks call some of them by themselves. In evaluation (validation, test, pictures,
    probes) nothing is compiled: other batch sizes, no gradient or another precision would each need another graph,
    until torch stops compiling the training steps as well.

    Raises:
        UserError: torch cannot compile for this device on this machine.
    """
    try:
        torch.compile(_double)(torch.zeros(1, device=device))
    except RuntimeError as error:
        cause = getattr(error, "inner_exception", error)  # torch wraps the back end's error in several lines
        reason = next(iter(str(cause).splitlines()), type(cause).__name__)
        raise UserError(
            f"compile=true: nothing can be compiled for {device} here ({reason}): install a C++ compiler (or name it "
            "in CXX; for a GPU, triton), or leave it out"
        ) from error
    for part in network.children():
        part.forward = _while_training(network, part.forward)


def _while_training(network: nn.Module, forward: Callable[..., Any]) -> Callable[..., Any]:
    compiled = torch.compile(forward)
    return lambda *args, **kwargs: (compiled if network.training else forward)(*args, **kwargs)


def _double(rows: Tensor) -> Tensor:
    return rows * 2
