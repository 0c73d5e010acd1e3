"""Lightning's trainer of a run."""

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
from fbm.training.callbacks.preemption import PreemptionCheckpoint
from fbm.training.loggers import RunMirror
from fbm.utils.errors import UserError


def build_trainer(config: DictConfig, carried: dict[str, Any], again: bool) -> pl.Trainer:
    """A run's trainer, with its callbacks and loggers.

    Args:
        carried: metadata for the checkpoints.
        again: leave out the loggers that cannot continue: they would start their files over.

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
        # Without a bar of ours there is none; by default Lightning adds its own.
        enable_progress_bar=any(isinstance(callback, pl.callbacks.ProgressBar) for callback in callbacks),
        logger=[logger for logger in loggers if not again or isinstance(logger, RunMirror)],
        plugins=[
            LightningEnvironment(),  # ranks are started by `fbm.training.distributed` alone
            AtomicCheckpointIO(together=any(isinstance(callback, PreemptionCheckpoint) for callback in callbacks)),
        ],
    )
    return trainer


def validate_trainer(config: DictConfig) -> None:
    """Have Lightning check the trainer's settings before anything is started.

    Skipped for a finished run, which may be of another machine.

    Raises:
        UserError: Lightning refuses them.
    """
    if not config.overwrite and Path(config.run_dir, SUMMARY).is_file():
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the run's own trainer repeats it
            build(
                config.trainer,
                callbacks=[],
                logger=False,
                enable_progress_bar=False,
                plugins=[LightningEnvironment()],
            )
    except (MisconfigurationException, ImportError, TypeError, RuntimeError) as error:
        raise UserError(f"trainer: {error}") from error


def check_keeps_best(trainer: pl.Trainer, best: Path) -> None:
    """Check that one of the callbacks writes best.ckpt.

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
