"""How fast training is, and how much of its time it waits for data."""

import time

import pytorch_lightning as pl
from pytorch_lightning.utilities.types import STEP_OUTPUT

from fbm.batch import ClipBatch


class Throughput(pl.Callback):
    """Logs `time/clips_per_second` and `time/data_wait_share` of each training epoch (validation not counted).

    Waiting is the time between the end of a step and the start of the next. Clips are those of all ranks, times the
    mean over ranks. Of an epoch that was resumed in its middle it is the part since then.
    """

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._begin()  # an epoch that goes on does not start

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._begin()

    def _begin(self) -> None:
        self.started = self.step_ended = time.perf_counter()
        self.waited, self.clips = 0.0, 0

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: ClipBatch, batch_idx: int
    ) -> None:
        self.waited += time.perf_counter() - self.step_ended

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: STEP_OUTPUT, batch: ClipBatch, batch_idx: int
    ) -> None:
        self.step_ended = time.perf_counter()
        self.clips += len(batch.frames) * trainer.world_size
        if trainer.is_last_batch:  # before validation begins
            seconds = self.step_ended - self.started
            logged = {"time/clips_per_second": self.clips / seconds, "time/data_wait_share": self.waited / seconds}
            pl_module.log_dict(logged, on_step=False, on_epoch=True, sync_dist=True)
