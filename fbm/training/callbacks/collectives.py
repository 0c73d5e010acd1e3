"""Collectives of small values over the processor, whatever device the ranks train on."""

from typing import Any

import pytorch_lightning as pl
import torch
from torch import distributed


class CPUCollectives:
    """All ranks call a method at the same time; a single rank gets its own value back."""

    def __init__(self) -> None:
        self.group: distributed.ProcessGroup | None = None

    def all_reduce_max(self, trainer: pl.Trainer, value: int) -> int:
        """The largest of all ranks' values."""
        if trainer.world_size == 1:
            return value
        largest = torch.tensor(value)
        distributed.all_reduce(largest, distributed.ReduceOp.MAX, group=self._of(trainer))
        return int(largest)

    def all_gather(self, trainer: pl.Trainer, value: Any) -> list[Any]:
        """Every rank's value, in their order."""
        if trainer.world_size == 1:
            return [value]
        values = [None] * trainer.world_size
        distributed.all_gather_object(values, value, group=self._of(trainer))
        return values

    def _of(self, trainer: pl.Trainer) -> distributed.ProcessGroup:
        """A gloo group: these values must not wait for a GPU."""
        if self.group is None:
            self.group = distributed.new_group(backend="gloo")
        return self.group
