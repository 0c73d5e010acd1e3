"""Where a run can go on: `last.ckpt`, saved at moments from which training goes on exactly as if it had not stopped."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint, ModelCheckpoint
from pytorch_lightning.trainer.states import TrainerFn
from pytorch_lightning.utilities.types import STEP_OUTPUT

from fbm.data.batch import ClipBatch
from fbm.runs.files import LAST
from fbm.training.callbacks.loops import normalise_epoch_boundary, place_in
from fbm.training.callbacks.random_states import random_states, restore_random_states
from fbm.training.callbacks.signals import SignalTrap
from fbm.training.callbacks.votes import CPUCollectives
from fbm.training.loggers.resumable import rows_told
from fbm.utils.errors import Stopped, UserError

RESUME = "fbm_resume"  # in checkpoints: what Lightning does not save
TRAINING = "the training"  # after which nothing is left of it
NOTHING, SAVE = 0, 1  # what ranks ask for; a signal to leave is its number, always a larger one


@dataclass
class RunHistory:
    """What a run has behind it.

    Attributes:
        started: when its first attempt began, seconds since 1970.
        seconds: what all earlier attempts took, up to what was kept of them.
        resumed: how often it has gone on.
        pretraining: the config fingerprint of the run that made its initial weights.
        source: the other run's checkpoint that it began from: `checkpoint`, `place`, and the fingerprints `config` and
            `comparison`.
    """

    started: float = field(default_factory=time.time)
    seconds: float = 0.0
    resumed: int = 0
    pretraining: str | None = None
    source: dict[str, str] | None = None


class PreemptionCheckpoint(Checkpoint):
    """Saves `last.ckpt` every so often, at the start of an epoch or between steps, and at the end.

    Asked to leave by a signal (see `SignalTrap`), it saves after the step that is running and raises `Stopped`. During
    validation and test, where nothing can be saved, it leaves at once.

    Between two steps whose gradients add up, and before a validation, it saves nothing: training could not go on
    exactly from there.

    Args:
        folder: for the checkpoint.
        minutes: between two saves. None saves at the start of every epoch but the first, and within one only when
            asked to leave.
    """

    def __init__(self, folder: Path, minutes: float | None) -> None:
        if minutes is not None and minutes < 0:
            raise UserError(f"callbacks.last.minutes={minutes} must be at least 0, or null")
        self.path, self.minutes = Path(folder) / LAST, minutes
        self.signals, self.votes = SignalTrap(), CPUCollectives()
        self.past, self.began, self.saved_at = RunHistory(), time.monotonic(), time.monotonic()
        self.again = "the same command"  # what goes on, in the message of `Stopped`
        self.kept: str | None = None  # how far the newest checkpoint of this run is
        self.other = False  # the fit begins from another run's checkpoint
        self.loaded: dict[str, Any] | None = None  # what a checkpoint has for this callback, until it is used
        self.trained = False

    @property
    def seconds(self) -> float:
        """What the run has taken up to now, in all attempts."""
        return self.past.seconds + time.monotonic() - self.began

    # --- saving

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        goes_on = self._draw_on(trainer)
        asked = self._asked(trainer, SAVE if self.minutes is None else self._due())
        # What has just begun from another run's checkpoint is saved at once, so that it does without that one.
        if trainer.current_epoch > 0 and (self.other if goes_on else asked != NOTHING):
            self._save(trainer)
        if asked > SAVE:
            raise self._stopped(asked, saved=True)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: STEP_OUTPUT, batch: ClipBatch, batch_idx: int
    ) -> None:
        asked = self._asked(trainer, self._due())
        if asked == NOTHING or not _can_go_on_here(trainer, batch_idx + 1):
            return
        self._save(trainer)
        if asked != SAVE:
            raise self._stopped(asked, saved=True)

    def _due(self) -> int:
        """`SAVE` where so many minutes have passed since the newest save."""
        due = self.minutes is not None and time.monotonic() - self.saved_at >= 60 * self.minutes
        return SAVE if due else NOTHING

    def _asked(self, trainer: pl.Trainer, due: int) -> int:
        """What all ranks are to do now: the number of a signal to leave, what is due on one of them, or `NOTHING`."""
        return self.votes.most(trainer, self.signals.received or due)

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
            "place": tuple(place_in(loops)),
            "told": self._told(loops),
            "rows": [tuple(row) for row in rows_told(trainer.loggers)],
            "metrics": dict(trainer.callback_metrics),
            "should_stop": trainer.should_stop,
            "random": self.votes.all(trainer, random_states(trainer.strategy.root_device)),
            "past": {**asdict(self.past), "seconds": self.seconds},
        }

    def _save(self, trainer: pl.Trainer) -> None:
        trainer.save_checkpoint(self.path, weights_only=False)
        self.kept, self.saved_at = self._told(trainer.fit_loop.state_dict()), time.monotonic()

    def _told(self, loops: dict[str, Any]) -> str:
        return TRAINING if self.trained else str(place_in(loops))

    # --- going on

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        if trainer.state.fn != TrainerFn.FITTING:
            return
        self.loaded = checkpoint[RESUME]
        if self.other:
            checkpoint["callbacks"] = {}  # what is best and when to stop early is judged by this run's epochs alone
        else:
            _keep_places(checkpoint["callbacks"], _callbacks(trainer))

    def skip_fit(self, trainer: pl.Trainer, checkpoint: dict[str, Any]) -> None:
        """In place of a fit that is done: have a test follow it as it would have followed then."""
        trainer.fit_loop.load_state_dict(checkpoint["loops"]["fit_loop"])  # what rows are numbered by
        self.loaded = checkpoint[RESUME]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.signals.install()  # Lightning has put its own in their place
        self.saved_at = time.monotonic()
        if self.loaded is None:
            return
        if not self.other:
            trainer.callback_metrics.update(self.loaded["metrics"])
            trainer.should_stop = self.loaded["should_stop"]
        _, steps = self.loaded["place"]
        if steps:
            self._draw_on(trainer)
        else:  # where `max_steps` ends training, Lightning would take the next epoch for the one that is done
            trainer.fit_loop.epoch_loop.restarting = False

    def _draw_on(self, trainer: pl.Trainer) -> bool:
        """Restore the random states, once, where they were taken; whether there were any to restore."""
        loaded, self.loaded = self.loaded, None
        if loaded is None:
            return False
        states = loaded["random"]
        if trainer.global_rank < len(states):
            restore_random_states(states[trainer.global_rank], trainer.strategy.root_device)
        return True

    # --- leaving

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Around a fit or a test: signals are heard, and what they bring about is told as `Stopped`."""
        with self.signals:
            try:
                yield
            except RuntimeError as error:  # a data worker or another rank heard the signal too, and is gone
                if self.signals.received is None:
                    raise
                raise self._stopped(self.signals.received, saved=False) from error
        if self.signals.received is not None:  # too late to be heard inside
            raise self._stopped(self.signals.received, saved=True)

    def on_validation_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        self._leave_if_asked(trainer, saved=False)

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.signals.install()
        self._draw_on(trainer)  # where the fit before was left out

    def on_test_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        self._leave_if_asked(trainer, saved=False)

    def _leave_if_asked(self, trainer: pl.Trainer, saved: bool) -> None:
        asked = self._asked(trainer, NOTHING)
        if asked != NOTHING:
            raise self._stopped(asked, saved)

    def _stopped(self, signum: int, saved: bool) -> Stopped:
        name = signal.Signals(signum).name
        if self.kept is None:
            return Stopped(signum, f"{name}: nothing is saved yet; {self.again} begins anew")
        how = "saved" if saved else "left at once, the newest save is"
        return Stopped(signum, f"{name}: {how} after {self.kept}; {self.again} goes on there")


def _can_go_on_here(trainer: pl.Trainer, done: int) -> bool:
    """Whether training saved now, after so many steps of the epoch, would go on exactly."""
    ends = trainer.is_last_batch or trainer.should_stop or 0 <= trainer.max_steps <= trainer.global_step
    if ends or done % trainer.accumulate_grad_batches:
        return False
    # Validation in the middle of an epoch: Lightning would take it for done.
    steps = trainer.fit_loop.total_batch_idx + 1 if trainer.check_val_every_n_epoch is None else done
    return not trainer.val_check_batch or steps % trainer.val_check_batch != 0


def _callbacks(trainer: pl.Trainer) -> list[pl.Callback]:
    callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]  # set, but not declared
    return callbacks


def _keep_places(states: dict[str, Any], callbacks: list[pl.Callback]) -> None:
    """Name checkpoints where they are now: a run folder may have been moved, or be mounted elsewhere."""
    for callback in callbacks:
        state = states.get(callback.state_key)
        if isinstance(callback, ModelCheckpoint) and state is not None:
            state["dirpath"] = callback.dirpath
            for key in ("best_model_path", "kth_best_model_path", "last_model_path"):
                state[key] = _moved(state[key], callback)
            state["best_k_models"] = {_moved(path, callback): score for path, score in state["best_k_models"].items()}


def _moved(path: str, callback: ModelCheckpoint) -> str:
    return str(Path(str(callback.dirpath)) / Path(path).name) if path else path
