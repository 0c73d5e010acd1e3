"""What all ranks of a run say of something, whatever device they train on."""

from typing import Any

import pytorch_lightning as pl
import torch
from torch import distributed


class CPUCollectives:
    """Asked by all ranks at the same time; one rank alone is told its own word."""

    def __init__(self) -> None:
        self.group: distributed.ProcessGroup | None = None

    def most(self, trainer: pl.Trainer, value: int) -> int:
        """The largest of all ranks' values."""
        if trainer.world_size == 1:
            return value
        votes = torch.tensor(value)
        distributed.all_reduce(votes, distributed.ReduceOp.MAX, group=self._of(trainer))
        return int(votes)

    def all(self, trainer: pl.Trainer, value: Any) -> list[Any]:
        """Every rank's value, in their order."""
        if trainer.world_size == 1:
            return [value]
        values = [None] * trainer.world_size
        distributed.all_gather_object(values, value, group=self._of(trainer))
        return values

    def _of(self, trainer: pl.Trainer) -> distributed.ProcessGroup:
        """A group on the processor: nothing here is worth waiting for a GPU."""
        if self.group is None:
            self.group = distributed.new_group(backend="gloo")
        return self.group
