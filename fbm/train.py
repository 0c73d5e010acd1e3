"""The spine: compose -> build -> fit -> test -> summary."""

import time
import warnings
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig, OmegaConf
from pydantic import NonNegativeInt

from fbm.checkpoints import load_encoder, read_checkpoint
from fbm.config import build, check, check_value, fingerprint, fingerprints, resolved
from fbm.data.datamodule import ClipDataModule
from fbm.errors import UserError
from fbm.machine import keep_memory, quiet
from fbm.provenance import provenance
from fbm.run_folder import Run, open_run
from fbm.tasks.task import Task

# The same run all the same.
HANDLING = ("hydra", "overwrite", "data.workers", "data.module.workers", "callbacks.progress")


def train(config: DictConfig) -> float | None:
    """One run, from a composed config to a finished run folder.

    Returns:
        The monitored metric of the best checkpoint; also where the same run was finished before.

    Raises:
        UserError: the config, the store, a checkpoint or the run folder does not allow it.
    """
    keep_memory()
    quiet()
    check(config)
    for key, kind in (("seed", NonNegativeInt), ("test", bool), ("overwrite", bool)):
        check_value(key, config[key], kind)
    identity = fingerprint(resolved(config), HANDLING)
    with open_run(config.run_dir, identity, config.overwrite) as run:
        if run.summary is None:
            run.start(OmegaConf.to_yaml(config, resolve=True))
            try:
                run.finish(_train(config, run, identity))
            except MisconfigurationException as error:  # Lightning's word for what it was asked and cannot do
                raise UserError(str(error)) from error
        else:
            print(f"{run.folder} is finished already; overwrite=true runs it again")
    assert run.summary is not None
    value = run.summary["metrics"].get(run.summary["monitor"])
    return None if value is None else float(value)


def _train(config: DictConfig, run: Run, identity: str) -> dict[str, Any]:
    """Build, fit and test; gives the summary."""
    started = time.time()
    pl.seed_everything(config.seed, workers=True, verbose=False)
    data: ClipDataModule = build(config.data.module, seed=config.seed)
    if not data.samples["val"]:
        print("no validation clips: the best checkpoint and early stopping follow train/loss")
        config.monitor = {"metric": "train/loss", "mode": "min"}
    encoder = build(config.encoder)
    loaded = load_encoder(encoder, config.init)
    offered = {
        "encoder": encoder,
        "classes": data.classes,
        "optimizer": build(config.optim),
        "schedule": build(config.schedule) if config.schedule is not None else None,
    }
    task: Task = build(config.task, **offered)
    _check_fits(config, data, task)
    content = resolved(config)
    prints = {"run": identity, **fingerprints(config, loaded.fingerprint), "data": data.store.manifest.fingerprint}
    carried = {"config": content, "task": config.task_name, "fingerprints": prints}
    callbacks = [build(node, carried=carried) for node in config.callbacks.values() if node is not None]
    trainer: pl.Trainer = build(
        config.trainer,
        callbacks=callbacks,
        # Without one of ours there is none: Lightning would put its own in its place.
        enable_progress_bar=any(isinstance(callback, pl.callbacks.ProgressBar) for callback in callbacks),
        logger=[build(node) for node in config.logger.values() if node is not None],
    )
    try:
        _fit(trainer, task, data, content)
        fitted = {name: float(value) for name, value in trainer.callback_metrics.items()}
        tested = trainer.test(task, data, ckpt_path=run.best, weights_only=True, verbose=False) if config.test else []
    except SystemExit as stopped:  # Lightning's end of an interrupted run
        raise (KeyboardInterrupt if trainer.interrupted else stopped) from None
    finally:
        _close(trainer)
    best = read_checkpoint(run.best)["fbm"]
    metrics = {**best["metrics"], **(tested[0] if tested else {})}
    return {
        **{"study": config.study, "run": config.name, "task": config.task_name, "init": config.init.name},
        **{"seed": config.seed, "monitor": config.monitor.metric, "metrics": metrics},
        **{"best_epoch": best["epoch"], "epochs": trainer.current_epoch, "fingerprints": prints},
        **{"loaded": loaded.counts(), "data": config.data.name, "classes": data.classes, "samples": data.samples},
        **provenance(trainer),
        "throughput": _throughput(fitted),
        "started": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(started)),
        "seconds": round(time.time() - started, 1),
    }


def _check_fits(config: DictConfig, data: ClipDataModule, task: Task) -> None:
    if task.needs_masks and not data.masked:
        raise UserError(
            f"task={config.task_name} needs masks, but no training video in {data.store.root} has any "
            f"(prepared with masks={data.store.manifest.masks}): prepare with annotations, data.annotations=PATH"
        )
    if config.test and not data.samples["test"]:
        raise UserError(f"test=true, but {data.store.root} holds no test clips (data.split={config.data.split})")


def _fit(trainer: pl.Trainer, task: Task, data: ClipDataModule, content: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        # Reading a memory map is faster than handing clips between processes: no workers is a choice here.
        warnings.filterwarnings("ignore", ".*does not have many workers.*")
        warnings.filterwarnings("ignore", ".*is smaller than the logging interval.*")
        warnings.filterwarnings("ignore", ".*exists and is not empty.*")  # it holds this run's own config.yaml
        for logger in trainer.loggers:
            logger.log_hyperparams(content)
        trainer.fit(task, data)


def _close(trainer: pl.Trainer) -> None:
    """End the W&B run, also of a failed job: the next one in this process would go on writing to it."""
    import sys

    for logger in trainer.loggers:
        logger.finalize("finished")
    if "wandb" in sys.modules:
        import wandb

        wandb.finish()


def _throughput(metrics: dict[str, float]) -> dict[str, float]:
    return {name.removeprefix("time/"): value for name, value in metrics.items() if name.startswith("time/")}
