"""Lightning's trainer as a run has it."""

import warnings
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig
from pytorch_lightning.callbacks import ModelCheckpoint

from fbm.config.instantiate import build
from fbm.runs.checkpoint_io import AtomicCheckpointIO
from fbm.runs.files import SUMMARY
from fbm.training.callbacks.resume_point import PreemptionCheckpoint
from fbm.training.loggers import RunMirror
from fbm.utils.errors import UserError


def build_trainer(config: DictConfig, carried: dict[str, Any], again: bool) -> pl.Trainer:
    """A run's trainer, with its callbacks and loggers.

    Args:
        carried: what the run's checkpoints carry.
        again: leave out the loggers that cannot go on: they would begin their files anew.

    Raises:
        UserError: a part refuses its values.
    """
    callbacks, loggers = (
        [build(node, carried=carried) for node in (group or {}).values() if node is not None]
        for group in (config.get("callbacks"), config.get("logger"))
    )
    trainer: pl.Trainer = build(
        config.trainer,
        callbacks=callbacks,
        # Without one of ours there is none: Lightning would put its own in its place.
        enable_progress_bar=any(isinstance(callback, pl.callbacks.ProgressBar) for callback in callbacks),
        logger=[logger for logger in loggers if not again or isinstance(logger, RunMirror)],
        plugins=[
            LightningEnvironment(),  # ranks are started by `fbm.training.distributed` alone
            AtomicCheckpointIO(together=any(isinstance(callback, PreemptionCheckpoint) for callback in callbacks)),
        ],
    )
    return trainer


def validate_trainer(config: DictConfig) -> None:
    """Have Lightning look at the trainer's settings before anything is begun: what it refuses, it refuses now.

    Not of a finished run, which may be of another machine.

    Raises:
        UserError: what it says.
    """
    if not config.overwrite and Path(config.run_dir, SUMMARY).is_file():
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the run's own trainer says it again
            build(
                config.trainer,
                **{"callbacks": [], "logger": False, "enable_progress_bar": False},
                plugins=[LightningEnvironment()],
            )
    except (MisconfigurationException, ImportError, TypeError, RuntimeError) as error:
        raise UserError(f"trainer: {error}") from error


def check_keeps_best(trainer: pl.Trainer, best: Path) -> None:
    """See that one of the callbacks writes the checkpoint that a run ends with.

    Raises:
        UserError: none does.
    """
    for one in trainer.checkpoint_callbacks:
        if isinstance(one, ModelCheckpoint) and one.dirpath is not None and one.save_top_k == 1:
            written = Path(one.dirpath, f"{one.filename}{one.FILE_EXTENSION}")
            if written == best.resolve():
                return
    raise UserError(
        f"no callback keeps the best weights as {best}: leave callbacks.checkpoint, its dirpath, its filename and "
        "save_top_k=1 as they are; others may be beside it (+callbacks.NAME._target_=...)"
    )
