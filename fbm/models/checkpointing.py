"""Activation checkpointing: less memory for more computation. Maps are `B C ...` float."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from types import UnionType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvTransposeNd
from torch.nn.modules.pooling import _AvgPoolNd, _MaxPoolNd
from torch.utils.checkpoint import checkpoint

from fbm.models.layers import NORMS


class CheckpointedSequential(nn.Sequential):
    """A sequence that keeps only the inputs of its stages, and recomputes each stage in the backward pass.

    A stage ends after a pooling and before a transposed convolution, where the maps are smallest. Outputs and gradients
    are those of a plain sequence; the first pass alone updates batch norm's running statistics.

    The first layer of a stage must not change its input in place.
    """

    def forward(self, maps: Tensor) -> Tensor:
        if not torch.is_grad_enabled():
            return _run(list(self), maps)
        for number, stage in enumerate(_stages(list(self))):
            # An input without gradient is the clip, and maps of its size are the largest of all.
            run = _run if number or maps.requires_grad else _run_recomputing_norm
            maps = _recomputed(run, stage, maps)
        return maps


def checkpoint_activations(network: nn.Module) -> None:
    """Make every outermost `nn.Sequential` with trained parameters a `CheckpointedSequential`, in place."""
    for module in network.children():
        if not any(parameter.requires_grad for parameter in module.parameters()):
            continue  # a frozen part keeps no activations
        if type(module) is nn.Sequential:
            # Only the class changes: parameters, names and hooks are the objects that others hold.
            module.__class__ = CheckpointedSequential
        else:
            checkpoint_activations(module)


def _stages(layers: Sequence[nn.Module]) -> list[list[nn.Module]]:
    stages: list[list[nn.Module]] = [[]]
    for layer in layers:
        if stages[-1] and (_begins(layer, _ConvTransposeNd) or _begins(stages[-1][-1], _MaxPoolNd | _AvgPoolNd)):
            stages.append([])
        stages[-1].append(layer)
    return stages


def _begins(layer: nn.Module, kind: type | UnionType) -> bool:
    """Whether a layer, or the first layer of a sequence, is of this kind."""
    return isinstance(next(layer.children(), layer) if isinstance(layer, nn.Sequential) else layer, kind)


def _recomputed(run: Callable[[Sequence[nn.Module], Tensor], Tensor], layers: Sequence[nn.Module], maps: Tensor) -> Any:
    return checkpoint(run, layers, maps, use_reentrant=False, context_fn=partial(_contexts, layers))


def _run(layers: Sequence[nn.Module], maps: Tensor) -> Tensor:
    for layer in layers:
        maps = layer(maps)
    return maps


def _run_recomputing_norm(layers: Sequence[nn.Module], maps: Tensor) -> Tensor:
    """The same with a lower peak, for a first layer that is a block of a convolution and a norm.

    The convolution is computed a third time when the norm needs its maps, after those behind the norm are freed. On the
    three channels of a clip this costs next to nothing.
    """
    first, *others = layers
    block = list(first) if isinstance(first, nn.Sequential) else []
    end = 1 + max((place for place, layer in enumerate(block) if isinstance(layer, NORMS)), default=-1)
    if not end:
        return _run(layers, maps)
    return _run([*block[end:], *others], _recomputed(_run, block[:end], maps))


def _contexts(stage: Sequence[nn.Module]) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """Contexts of the first pass, and of the recomputation."""
    return nullcontext(), _frozen_bn_statistics(stage)


@contextmanager
def _frozen_bn_statistics(stage: Sequence[nn.Module]) -> Iterator[None]:
    """Batch norm works in its current mode, but updates copies of its running statistics."""
    # Collected here: Lightning may have replaced the batch norms by synchronised ones.
    norms = [part for layer in stage for part in layer.modules() if isinstance(part, _BatchNorm)]
    kept = [dict(norm.named_buffers()) for norm in norms]
    for norm, own in zip(norms, kept, strict=True):
        for name, value in own.items():
            setattr(norm, name, value.clone())
    try:
        yield
    finally:
        for norm, own in zip(norms, kept, strict=True):
            for name, value in own.items():
                setattr(norm, name, value)
