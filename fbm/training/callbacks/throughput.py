"""How fast training is, how much of its time it waits for data, and how much of the device it uses."""

import time
from contextlib import ExitStack

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks.throughput_monitor import _plugin_to_compute_dtype
from pytorch_lightning.utilities.types import STEP_OUTPUT
from torch.utils.flop_counter import FlopCounterMode

from fbm.data.batch import ClipBatch
from fbm.data.datamodule import ClipDataModule
from fbm.training.callbacks.peaks import peak_of

WAITING = 0.2  # share of an epoch that is too much
FEWEST = 10  # steps: in fewer, the first batch, for which workers start and a cold disk is read, is most of the waiting


class Throughput(pl.Callback):
    """Logs how fast each training epoch was, validation not counted.

    - `time/clips_per_second`: of all ranks together.
    - `time/step_seconds`: mean seconds of a training step, waiting included.
    - `time/data_wait_share`: share of the time between the end of a step and the start of the next. Once in a fit,
      where an epoch of at least ten steps waited more than a fifth of its time, one line says what to do.
    - `time/flop_share`: share of the device's peak, for the precision that is trained in, which the convolutions and
      matrix products of the steps were; those repeated by activation checkpointing count. Only where the peak is known
      (see `peak_of`): of many GPUs, and of no processor.

    Times are means over ranks. Of an epoch that was resumed in its middle it is the part since then.

    A GPU works behind the program, which only hands it the steps. An epoch's time is right there too: it ends when the
    GPU has done all its steps. But waiting is the program's: while the program waits for a batch the GPU may still
    work on the step before. So the GPU is idle for at most that share, and for all of it only when it keeps up.

    Where the peak is known, the first step of a fit is counted operation by operation. That makes it slow, so that no
    time holds it; an epoch of this step alone has no times.
    """

    def __init__(self) -> None:
        self.peak = 0.0  # FLOP/s of one device; 0 where nobody knows it
        self.clip_flops = 0.0  # of one clip, forwards and backwards; 0 while none was counted
        self.counter: FlopCounterMode | None = None
        self.counting = ExitStack()
        self.warned = False
        self._begin(0.0)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.peak, self.clip_flops, self.warned = _peak(trainer), 0.0, False
        self._begin(_now(trainer))  # an epoch that goes on does not start

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
            # A compiled network as well runs operation by operation; if it met the counter it would stay so for good.
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
            self._tell(trainer, pl_module)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.paused = _now(trainer)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        pause = _now(trainer) - self.paused  # of an epoch that it is in the middle of
        self.started += pause
        self.step_ended += pause

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self.counting.close()  # it would go on counting whatever this process does next

    def _tell(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
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
        if waiting > WAITING and self.steps >= FEWEST and not self.warned and trainer.is_global_zero:
            self.warned = True
            data = getattr(trainer, "datamodule", None)  # Lightning sets it without declaring it
            workers = f" (data.num_workers={data.num_workers})" if isinstance(data, ClipDataModule) else ""
            print(
                f"epoch {trainer.current_epoch + 1} waited for data {waiting:.0%} of its time{workers}: raise "
                "data.num_workers, or put the store on a faster disk"
            )


def wait_for(device: torch.device) -> None:
    """Return when a device has done all that it was given; a processor has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _now(trainer: pl.Trainer) -> float:
    """Seconds of a clock, when the device has done all that it was given."""
    wait_for(trainer.strategy.root_device)
    return time.perf_counter()


def _peak(trainer: pl.Trainer) -> float:
    """FLOP/s that one device can do in the precision that is trained in; 0 where that of any rank's is not known."""
    known = peak_of(trainer.strategy.root_device, _plugin_to_compute_dtype(trainer.precision_plugin))
    # All ranks log the same names, or they would wait for each other.
    return known if trainer.strategy.reduce_boolean_decision(bool(known)) else 0.0
