"""Speed of training, the share of time it waits for data, and the share of the device's peak."""

import time
from contextlib import ExitStack

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks.throughput_monitor import _plugin_to_compute_dtype
from pytorch_lightning.utilities.types import STEP_OUTPUT
from torch.utils.flop_counter import FlopCounterMode

from fbm.data.batch import ClipBatch
from fbm.training.callbacks.clip_data import clip_data
from fbm.training.callbacks.peaks import peak_of

MAX_WAIT_SHARE = 0.2  # of an epoch; more prints advice
MIN_STEPS = 10  # in fewer, starting workers and a cold disk make up most of the waiting


class Throughput(pl.Callback):
    """Logs how fast each training epoch was, validation not counted.

    - `time/clips_per_second`: of all ranks together.
    - `time/step_seconds`: mean seconds of a training step, waiting included.
    - `time/data_wait_share`: share of the time between the end of a step and the start of the next. The first epoch of
      at least ten steps that waited more than a fifth of its time prints one line of advice.
    - `time/flop_share`: share of the device's peak, for the precision that is trained in, which the convolutions and
      matrix products of the steps were; those repeated by activation checkpointing count. Only where the peak is known
      (see `peak_of`): of many GPUs, and of no processor.

    Times are means over ranks. For an epoch that was resumed in its middle they cover the part since then.

    A GPU runs behind the program. An epoch's time is right all the same: it ends when the GPU has done all its steps.
    Waiting is the program's: while it waits for a batch the GPU may still work on the step before, so the GPU is idle
    for at most that share.

    Where the peak is known, the operations of a fit's first step are counted. That is slow, so this step is left out of
    the times; an epoch of this step alone has none.
    """

    def __init__(self) -> None:
        self.peak = 0.0  # FLOP/s of one device; 0 where it is not known
        self.clip_flops = 0.0  # of one clip, forward and backward; 0 until counted
        self.counter: FlopCounterMode | None = None
        self.counting = ExitStack()
        self.warned = False
        self._begin(0.0)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.peak, self.clip_flops, self.warned = _peak(trainer), 0.0, False
        self._begin(_now(trainer))  # a resumed epoch has no start

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._begin(_now(trainer))

    def _begin(self, now: float) -> None:
        self.started = self.step_ended = now
        self.waited, self.clips, self.steps = 0.0, 0, 0

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: ClipBatch, batch_idx: int
    ) -> None:
        self.waited += time.perf_counter() - self.step_ended
        if self.peak and not self.clip_flops:
            # A compiled network runs eagerly here; traced under the counter it would stay eager.
            self.counting.enter_context(torch.compiler.set_stance("force_eager"))
            self.counter = self.counting.enter_context(FlopCounterMode(display=False))

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: STEP_OUTPUT, batch: ClipBatch, batch_idx: int
    ) -> None:
        if self.counter is not None:
            self.counting.close()
            self.clip_flops = self.counter.get_total_flops() / len(batch.frames)
            self.counter = None
            self._begin(_now(trainer))
            return
        self.step_ended = _now(trainer) if trainer.is_last_batch else time.perf_counter()
        self.clips += len(batch.frames) * trainer.world_size
        self.steps += 1
        if trainer.is_last_batch:  # before validation begins
            self._log(trainer, pl_module)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.paused = _now(trainer)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        pause = _now(trainer) - self.paused  # in the middle of an epoch
        self.started += pause
        self.step_ended += pause

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self.counting.close()  # it would count whatever this process does next

    def _log(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        seconds = self.step_ended - self.started
        speed, waiting = self.clips / seconds, self.waited / seconds
        logged = {
            "time/clips_per_second": speed,
            "time/step_seconds": seconds / self.steps,
            "time/data_wait_share": waiting,
        }
        if self.clip_flops:
            logged["time/flop_share"] = self.clip_flops * speed / (self.peak * trainer.world_size)
        pl_module.log_dict(logged, on_step=False, on_epoch=True, sync_dist=True)
        if waiting > MAX_WAIT_SHARE and self.steps >= MIN_STEPS and not self.warned and trainer.is_global_zero:
            self.warned = True
            data = clip_data(trainer)
            workers = f" (data.num_workers={data.num_workers})" if data else ""
            print(
                f"epoch {trainer.current_epoch + 1} waited for data {waiting:.0%} of its time{workers}: raise "
                "data.num_workers, or put the store on a faster disk"
            )


def wait_for(device: torch.device) -> None:
    """Block until a device has done all its work; a processor always has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _now(trainer: pl.Trainer) -> float:
    """Seconds of a clock, after the device has done all its work."""
    wait_for(trainer.strategy.root_device)
    return time.perf_counter()


def _peak(trainer: pl.Trainer) -> float:
    """Peak FLOP/s of one device in the precision of the training; 0 where any rank's is not known."""
    known = peak_of(trainer.strategy.root_device, _plugin_to_compute_dtype(trainer.precision_plugin))
    # All ranks log the same names, or they would wait for each other.
    return known if trainer.strategy.reduce_boolean_decision(bool(known)) else 0.0
