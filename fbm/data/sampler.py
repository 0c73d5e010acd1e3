"""The order in which samples are read: by (seed, epoch), shared over ranks, resumable within an epoch."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from torch.utils.data import Sampler

from fbm.data.clips import SampleKey


class ResumePosition(NamedTuple):
    """Where a resumed training continues: the epoch, and its steps that are done."""

    epoch: int
    steps: int


FROM_START = ResumePosition(0, 0)


class ResumableDistributedSampler(Sampler[SampleKey]):
    """One rank's share of an epoch's samples: step k over all ranks has the same samples for any number of ranks.

    In training the order is shuffled by (seed, epoch) and cut to whole batches. In evaluation (`seed=None`) it is kept
    and nothing is dropped: shorter shares are padded with keys that are not `counted`. All ranks must have the
    same number of samples, or the forward pass deadlocks.

    Args:
        samples: how many there are.
        batch: samples of one step over all ranks, a multiple of `ranks`. Fewer training samples than that are one
            incomplete batch, which only a single rank can take.
        seed: of the shuffle; None is evaluation.
        rank, ranks: the share is every `ranks`-th sample from `rank` on.
        position: where to continue; every later epoch is whole.
    """

    def __init__(
        self,
        samples: int,
        batch: int,
        seed: int | None,
        rank: int = 0,
        ranks: int = 1,
        position: ResumePosition = FROM_START,
    ) -> None:
        self.samples, self.batch, self.seed = samples, batch, seed
        self.rank, self.ranks, self.position = rank, ranks, position
        self.epoch = position.epoch  # Lightning asks for an iterator before it calls `set_epoch`

    def set_epoch(self, epoch: int) -> None:
        """Lightning calls this at the start of every epoch."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[SampleKey]:
        done = self.position.steps if self.epoch == self.position.epoch else 0
        keys = self._evaluated() if self.seed is None else self._shuffled(self.seed)
        return iter(keys[self.rank + done * self.batch :: self.ranks])

    def __len__(self) -> int:
        """Samples of a whole epoch on this rank, also when resuming in one: Lightning subtracts the steps done."""
        return len(range(self.rank, self._places, self.ranks))

    @property
    def _places(self) -> int:
        """Number of keys of an epoch over all ranks."""
        if self.seed is None:
            return -(-self.samples // self.ranks) * self.ranks
        return self.samples // self.batch * self.batch or self.samples

    def _shuffled(self, seed: int) -> list[SampleKey]:
        order = np.random.default_rng([seed, self.epoch]).permutation(self.samples)
        return [SampleKey(self.epoch, int(sample)) for sample in order[: self._places]]

    def _evaluated(self) -> list[SampleKey]:
        last = self.samples - 1
        return [SampleKey(self.epoch, min(place, last), place <= last) for place in range(self._places)]


def resume_position(trainer: Any) -> ResumePosition:
    """The epoch that a fit starts in, and its steps that are done: none, unless it is resumed within an epoch.

    Lightning restores its counters before it calls for the loader, and leaves it to the loader to skip these steps.

    Args:
        trainer: Lightning's.
    """
    epochs, steps = trainer.fit_loop.epoch_progress.current, trainer.fit_loop.epoch_loop.batch_progress
    if not epochs.started == epochs.ready == epochs.processed + 1:  # at an epoch's start or end
        return ResumePosition(epochs.processed, 0)
    if steps.is_last_batch:  # nothing but the epoch's end is left
        return ResumePosition(epochs.processed + 1, 0)
    return ResumePosition(epochs.processed, steps.current.processed)
