"""`last.ckpt`: saved by time and on signals, at points from which training resumes bit for bit."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint, ModelCheckpoint
from pytorch_lightning.trainer.states import TrainerFn
from pytorch_lightning.utilities.types import STEP_OUTPUT

from fbm.data.batch import ClipBatch
from fbm.runs.files import LAST
from fbm.training.callbacks.collectives import CPUCollectives
from fbm.training.callbacks.history import RunHistory
from fbm.training.callbacks.loop_state import normalise_epoch_boundary, position_in
from fbm.training.callbacks.random_states import random_states, restore_random_states
from fbm.training.callbacks.signals import SignalTrap
from fbm.training.loggers.resumable import logged_rows
from fbm.utils.errors import Stopped, UserError

RESUME = "fbm_resume"  # key in checkpoints: the state that Lightning does not save
TRAINING_COMPLETE = "the training"  # the position when training is complete
CONTINUE, SAVE = 0, 1  # what a rank requests; a signal to end is requested by its number, which is larger


class PreemptionCheckpoint(Checkpoint):
    """Saves `last.ckpt` by time, at the start of an epoch or between steps, and at the end of training.

    On a signal (see `SignalTrap`) it saves after the current step and raises `Stopped`. During validation and test,
    where nothing can be saved, it stops at once.

    It does not save between two steps whose gradients are accumulated, nor right before a validation: training could
    not resume exactly from there.

    Args:
        folder: for the checkpoint.
        minutes: between two saves. None saves at the start of every epoch but the first, and within an epoch only on
            a signal.
    """

    def __init__(self, folder: Path, minutes: float | None) -> None:
        if minutes is not None and minutes < 0:
            raise UserError(f"callbacks.last.minutes={minutes} must be at least 0, or null")
        self.path = Path(folder) / LAST
        self.minutes = minutes
        self.signals = SignalTrap()
        self.collectives = CPUCollectives()
        self.history = RunHistory()
        self.began = self.saved_at = time.monotonic()
        self.resume_command = "the same command"  # in the message of `Stopped`
        self.saved_position: str | None = None  # of the newest checkpoint of this run
        self.from_other_run = False  # the fit starts from another run's checkpoint
        self.loaded: dict[str, Any] | None = None  # this callback's part of the checkpoint, until it is restored
        self.trained = False

    @property
    def seconds(self) -> float:
        """Duration of the run so far, in all attempts."""
        return self.history.seconds + time.monotonic() - self.began

    # --- saving

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        resumed = self._restore_random_states(trainer)
        request = self._requested(trainer, SAVE if self.minutes is None else self._due())
        # A run that just started from another run's checkpoint saves at once, and does not need that one any more.
        if trainer.current_epoch > 0 and (self.from_other_run if resumed else request != CONTINUE):
            self._save(trainer)
        if request > SAVE:
            raise self._stopped(request, saved=True)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: STEP_OUTPUT, batch: ClipBatch, batch_idx: int
    ) -> None:
        request = self._requested(trainer, self._due())
        if request == CONTINUE or not _is_resumable_here(trainer, batch_idx + 1):
            return
        self._save(trainer)
        if request != SAVE:
            raise self._stopped(request, saved=True)

    def _due(self) -> int:
        """`SAVE` if the newest save is `minutes` ago."""
        due = self.minutes is not None and time.monotonic() - self.saved_at >= 60 * self.minutes
        return SAVE if due else CONTINUE

    def _requested(self, trainer: pl.Trainer, due: int) -> int:
        """What all ranks do now: end by a signal (its number), save because it is due on one of them, or continue."""
        return self.collectives.all_reduce_max(trainer, self.signals.received or due)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.trained = True
        self._save(trainer)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        loops = checkpoint["loops"]["fit_loop"]
        normalise_epoch_boundary(loops)
        checkpoint[RESUME] = {
            "trained": self.trained,
            "place": tuple(position_in(loops)),
            "told": self._position(loops),
            "rows": [tuple(row) for row in logged_rows(trainer.loggers)],
            "metrics": dict(trainer.callback_metrics),
            "should_stop": trainer.should_stop,
            "random": self.collectives.all_gather(trainer, random_states(trainer.strategy.root_device)),
            "past": {**asdict(self.history), "seconds": self.seconds},
        }

    def _save(self, trainer: pl.Trainer) -> None:
        trainer.save_checkpoint(self.path, weights_only=False)
        self.saved_position, self.saved_at = self._position(trainer.fit_loop.state_dict()), time.monotonic()

    def _position(self, loops: dict[str, Any]) -> str:
        return TRAINING_COMPLETE if self.trained else str(position_in(loops))

    # --- resuming

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        if trainer.state.fn != TrainerFn.FITTING:
            return
        self.loaded = checkpoint[RESUME]
        if self.from_other_run:
            checkpoint["callbacks"] = {}  # the best epoch and early stopping depend on this run's epochs alone
        else:
            _relocate(checkpoint["callbacks"], callbacks_of(trainer))

    def skip_fit(self, trainer: pl.Trainer, checkpoint: dict[str, Any]) -> None:
        """Restore the fit loop's state, so that a test started now behaves as if it had directly followed training."""
        trainer.fit_loop.load_state_dict(checkpoint["loops"]["fit_loop"])  # by which rows are numbered
        self.loaded = checkpoint[RESUME]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.signals.install()  # Lightning has installed its own handlers
        self.saved_at = time.monotonic()
        if self.loaded is None:
            return
        if not self.from_other_run:
            trainer.callback_metrics.update(self.loaded["metrics"])
            trainer.should_stop = self.loaded["should_stop"]
        _, steps = self.loaded["place"]
        if steps:
            self._restore_random_states(trainer)
        else:  # where `max_steps` ends training, Lightning would take the next epoch for the completed one
            trainer.fit_loop.epoch_loop.restarting = False

    def _restore_random_states(self, trainer: pl.Trainer) -> bool:
        """Restore the random states at the point where they were taken, once; whether there were any."""
        loaded, self.loaded = self.loaded, None
        if loaded is None:
            return False
        states = loaded["random"]
        if trainer.global_rank < len(states):
            restore_random_states(states[trainer.global_rank], trainer.strategy.root_device)
        return True

    # --- stopping

    @contextmanager
    def handle_signals(self) -> Iterator[None]:
        """Around a fit or a test: signals are recorded, and end it as `Stopped`."""
        with self.signals:
            try:
                yield
            except RuntimeError as error:  # a data worker or another rank got the signal too, and ended
                if self.signals.received is None:
                    raise
                raise self._stopped(self.signals.received, saved=False) from error
        if self.signals.received is not None:  # after the last check inside
            raise self._stopped(self.signals.received, saved=True)

    def on_validation_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        self._stop_if_requested(trainer, saved=False)

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.signals.install()
        self._restore_random_states(trainer)  # where the fit was skipped

    def on_test_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        self._stop_if_requested(trainer, saved=False)

    def _stop_if_requested(self, trainer: pl.Trainer, saved: bool) -> None:
        request = self._requested(trainer, CONTINUE)
        if request != CONTINUE:
            raise self._stopped(request, saved)

    def _stopped(self, signum: int, saved: bool) -> Stopped:
        name = signal.Signals(signum).name
        if self.saved_position is None:
            return Stopped(signum, f"{name}: nothing is saved yet; {self.resume_command} starts over")
        how = "saved" if saved else "stopped at once; the newest save is"
        return Stopped(signum, f"{name}: {how} after {self.saved_position}; {self.resume_command} resumes there")


def _is_resumable_here(trainer: pl.Trainer, done: int) -> bool:
    """Whether training could resume exactly from a checkpoint saved now, after `done` steps of the epoch."""
    ends = trainer.is_last_batch or trainer.should_stop or 0 <= trainer.max_steps <= trainer.global_step
    if ends or done % trainer.accumulate_grad_batches:
        return False
    # Before a validation in the middle of an epoch: on resume Lightning would skip it.
    steps = trainer.fit_loop.total_batch_idx + 1 if trainer.check_val_every_n_epoch is None else done
    return not trainer.val_check_batch or steps % trainer.val_check_batch != 0


def callbacks_of(trainer: pl.Trainer) -> list[pl.Callback]:
    """A trainer's callbacks."""
    callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]  # set, but not declared
    return callbacks


def _relocate(states: dict[str, Any], callbacks: list[pl.Callback]) -> None:
    """Correct the paths of checkpoints: the run folder may have been moved, or be mounted elsewhere."""
    for callback in callbacks:
        state = states.get(callback.state_key)
        if isinstance(callback, ModelCheckpoint) and state is not None:
            state["dirpath"] = callback.dirpath
            for key in ("best_model_path", "kth_best_model_path", "last_model_path"):
                state[key] = _relocated(state[key], callback)
            state["best_k_models"] = {
                _relocated(path, callback): score for path, score in state["best_k_models"].items()
            }


def _relocated(path: str, callback: ModelCheckpoint) -> str:
    return str(Path(str(callback.dirpath)) / Path(path).name) if path else path
