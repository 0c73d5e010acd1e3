"""Training metrics in the middle of an epoch as plain tensors, so that a checkpoint can hold what they have seen."""

from collections.abc import Mapping

import torch
import torch.distributed as dist
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities.distributed import gather_all_tensors


def states_of_ranks(metrics: Mapping[str, Metric]) -> dict[str, Tensor]:
    """Every state of every metric, by `METRIC.STATE`: `ranks ...` on the processor. Every rank must ask.

    Args:
        metrics: by name; their states are single tensors that are summed over ranks.
    """
    states = {f"{name}.{state}": value for name, metric in metrics.items() for state, value in _states(metric).items()}
    return {name: torch.stack(gathered(value)).cpu() for name, value in states.items()}


def gathered(value: Tensor) -> list[Tensor]:
    """A tensor of every rank."""
    return gather_all_tensors(value) if dist.is_available() and dist.is_initialized() else [value]


def restore_states(metrics: Mapping[str, Metric], states: Mapping[str, Tensor], rank: int, ranks: int) -> None:
    """Give this rank its own part again; where the number of ranks is another, the first one takes all.

    A metric without saved states begins anew.
    """
    for name, metric in metrics.items():
        metric.reset()
        for state, begun in _states(metric).items():
            parts = states.get(f"{name}.{state}")
            if parts is not None and len(parts) == ranks:
                setattr(metric, state, parts[rank].to(begun.device, copy=True))
            elif parts is not None and rank == 0:
                setattr(metric, state, parts.sum(0).to(begun))


def _states(metric: Metric) -> dict[str, Tensor]:
    return {name: value for name, value in metric.metric_state.items() if isinstance(value, Tensor)}
