"""States of the training metrics of an unfinished epoch, as plain tensors for a checkpoint."""

from collections.abc import Mapping

import torch
import torch.distributed as dist
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities.distributed import gather_all_tensors


def states_of_ranks(metrics: Mapping[str, Metric]) -> dict[str, Tensor]:
    """Every state of every metric, by `METRIC.STATE`: `ranks ...` on the CPU. All ranks must call it.

    Args:
        metrics: by name; their states are single tensors that are summed over ranks.
    """
    states = {f"{name}.{state}": value for name, metric in metrics.items() for state, value in _states(metric).items()}
    return {name: torch.stack(all_gather(value)).cpu() for name, value in states.items()}


def all_gather(value: Tensor) -> list[Tensor]:
    """One tensor from every rank."""
    return gather_all_tensors(value) if dist.is_available() and dist.is_initialized() else [value]


def restore_states(metrics: Mapping[str, Metric], states: Mapping[str, Tensor], rank: int, ranks: int) -> None:
    """Restore this rank's states; if the number of ranks has changed, the first rank takes the sums.

    A metric without saved states is reset.
    """
    for name, metric in metrics.items():
        metric.reset()
        for state, default in _states(metric).items():
            parts = states.get(f"{name}.{state}")
            if parts is not None and len(parts) == ranks:
                setattr(metric, state, parts[rank].to(default.device, copy=True))
            elif parts is not None and rank == 0:
                setattr(metric, state, parts.sum(0).to(default))


def means_saved(states: Mapping[str, Tensor]) -> list[str]:
    """Names of the metrics among saved states that are of `fbm.tasks.metrics.Mean`."""
    names = [key.removesuffix(".samples") for key in states if key.endswith(".samples")]
    return [name for name in names if f"{name}.total" in states]


def _states(metric: Metric) -> dict[str, Tensor]:
    return {name: value for name, value in metric.metric_state.items() if isinstance(value, Tensor)}
