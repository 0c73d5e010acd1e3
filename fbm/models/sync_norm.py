"""Batch norm over all ranks, on any device: torch's own `SyncBatchNorm` refuses the processor.

Maps are `B C ...` float. The processes' default group must be there, where there is more than one.
"""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class _Sum(torch.autograd.Function):
    """The sum over all ranks. Every rank's result depends on every rank's part: gradients are summed as well."""

    @staticmethod
    def forward(ctx: Any, part: Tensor) -> Tensor:
        total = part.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        dist.all_reduce(total)
        return total


def sum_over_ranks(part: Tensor) -> Tensor:
    """The sum of a tensor of the same shape on every rank, with gradient; every rank must ask for it."""
    total: Tensor = _Sum.apply(part)  # type: ignore[no-untyped-call]
    return total


class _SyncNorm(_BatchNorm):
    """Training statistics of the samples of all ranks: outputs, gradients and running statistics are those of one
    process with the whole batch. In evaluation, and where there is one rank, it is the batch norm that it was.
    """

    def forward(self, maps: Tensor) -> Tensor:
        if not (self.training and dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1):
            return super().forward(maps)
        self._check_input_dim(maps)  # type: ignore[no-untyped-call]
        exact = maps if maps.dtype == torch.float64 else maps.float()  # sums of bf16 would be of no use
        others = [dim for dim in range(maps.dim()) if dim != 1]
        shape = [-1 if dim == 1 else 1 for dim in range(maps.dim())]
        here = exact.new_tensor([maps.numel() / maps.shape[1]])
        summed = sum_over_ranks(torch.cat([exact.sum(others), here]))
        count = summed[-1].detach()
        mean = summed[:-1] / count
        # The mean first and the variance about it: the mean of squares less the square of the mean cancels.
        centred = exact - mean.view(shape)
        variance = sum_over_ranks(centred.square().sum(others)) / count
        self._follow(mean.detach(), variance.detach() * count / (count - 1))
        scale = torch.rsqrt(variance + self.eps)
        made = centred * (scale if self.weight is None else scale * self.weight).view(shape)
        return (made if self.bias is None else made + self.bias.view(shape)).to(maps.dtype)

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        """Let the running statistics follow, as every batch norm does; the variance is the unbiased one."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), share)
        self.running_var.lerp_(variance.to(self.running_var.dtype), share)


class SyncNorm1d(_SyncNorm, nn.BatchNorm1d):
    """Of maps `B C` or `B C L`."""


class SyncNorm2d(_SyncNorm, nn.BatchNorm2d):
    """Of maps `B C H W`."""


class SyncNorm3d(_SyncNorm, nn.BatchNorm3d):
    """Of maps `B C T H W`."""


KINDS: dict[type[nn.Module], type[nn.Module]] = {
    nn.BatchNorm1d: SyncNorm1d,
    nn.BatchNorm2d: SyncNorm2d,
    nn.BatchNorm3d: SyncNorm3d,
}


def synchronise(model: nn.Module) -> None:
    """Make every batch norm of a model one over all ranks, in place."""
    _change(model, KINDS)


def desynchronise(model: nn.Module) -> None:
    """Undo `synchronise`, in place."""
    _change(model, {ours: plain for plain, ours in KINDS.items()})


def _change(model: nn.Module, kinds: dict[type[nn.Module], type[nn.Module]]) -> None:
    # Only the class: parameters, buffers, names and hooks stay the very objects that others hold.
    for layer in model.modules():
        if type(layer) in kinds:
            layer.__class__ = kinds[type(layer)]
