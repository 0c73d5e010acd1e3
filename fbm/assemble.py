"""From a composed config to the parts of a run: data, task, trainer."""

from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
from omegaconf import DictConfig

from fbm.checkpoints import Loaded, initialise
from fbm.config import build, resolved
from fbm.data.datamodule import ClipDataModule
from fbm.errors import UserError
from fbm.fingerprints import fingerprints
from fbm.loggers import Mirror
from fbm.tasks.task import Task


@dataclass(frozen=True)
class Parts:
    """What a run is made of; `content` is the resolved config, `prints` are the fingerprints for the summary."""

    data: ClipDataModule
    task: Task
    trainer: pl.Trainer
    loaded: Loaded
    content: dict[str, Any]
    prints: dict[str, str]


def assemble(config: DictConfig, identity: str, again: bool = False) -> Parts:
    """Build everything, and see that it fits together.

    Args:
        identity: the run's own fingerprint.
        again: leave out the loggers that cannot go on: they would begin their files anew.

    Raises:
        UserError: a part refuses its values, or two parts do not fit.
    """
    pl.seed_everything(config.seed, workers=True, verbose=False)
    data: ClipDataModule = build(config.data.module, seed=config.seed)
    if not data.samples["val"]:
        print("no validation clips: the best checkpoint and early stopping follow train/loss")
        config.monitor = {"metric": "train/loss", "mode": "min"}
    encoder = build(config.encoder)
    loaded = initialise(encoder, config.init)
    offered = {
        "encoder": encoder,
        "classes": data.classes,
        "optimizer": build(config.optim),
        "schedule": _schedule(config, data),
    }
    task: Task = build(config.task, **offered)
    _check_fits(config, data, task)
    content = resolved(config)
    prints = {"run": identity, **fingerprints(config, loaded.fingerprint), "data": data.store.manifest.fingerprint}
    carried = {"config": content, "task": config.task_name, "fingerprints": prints}
    return Parts(data, task, _trainer(config, carried, again), loaded, content, prints)


def _schedule(config: DictConfig, data: ClipDataModule) -> Any:
    """The schedule's maker, or None; one that must know all its steps is told them."""
    if config.schedule is None:
        return None
    steps = data.steps_per_epoch * config.trainer.max_epochs // config.trainer.accumulate_grad_batches
    return build(config.schedule, total_steps=max(1, steps))


def _trainer(config: DictConfig, carried: dict[str, Any], again: bool) -> pl.Trainer:
    callbacks = [build(node, carried=carried) for node in config.callbacks.values() if node is not None]
    loggers = [build(node, carried=carried) for node in config.logger.values() if node is not None]
    trainer: pl.Trainer = build(
        config.trainer,
        callbacks=callbacks,
        # Without one of ours there is none: Lightning would put its own in its place.
        enable_progress_bar=any(isinstance(callback, pl.callbacks.ProgressBar) for callback in callbacks),
        logger=[logger for logger in loggers if not again or isinstance(logger, Mirror)],
    )
    return trainer


def _check_fits(config: DictConfig, data: ClipDataModule, task: Task) -> None:
    if task.needs_masks and not data.masked:
        raise UserError(
            f"task={config.task_name} needs masks, but no training video in {data.store.root} has any "
            f"(prepared with masks={data.store.manifest.masks}): prepare with annotations, data.annotations=PATH"
        )
    if config.test and not data.samples["test"]:
        raise UserError(f"test=true, but {data.store.root} holds no test clips (data.split={config.data.split})")
    try:
        task.configure_optimizers()  # now, not when the training has begun
    except (ValueError, TypeError) as error:
        raise UserError(f"the optimiser cannot be made: {error} (see optim and schedule)") from error
