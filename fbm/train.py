"""The spine: compose -> build -> fit -> test -> summary."""

import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig, OmegaConf
from pydantic import NonNegativeInt

from fbm.assemble import Parts, assemble
from fbm.checkpoints import read_checkpoint
from fbm.config import check, check_value, fingerprint, resolved
from fbm.errors import UserError
from fbm.machine import keep_memory, quiet
from fbm.provenance import provenance
from fbm.run_folder import Run, open_run

# The same run all the same; whether it is tested can be decided later.
HANDLING = ("hydra", "overwrite", "test", "data.workers", "data.module.workers", "callbacks.progress")


def train(config: DictConfig) -> float | None:
    """One run, from a composed config to a finished run folder.

    A run that is finished is not run again; with `test`, its best checkpoint is tested if that was not done before.

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
        try:
            _bring_to_an_end(config, run, identity)
        except MisconfigurationException as error:  # Lightning's word for what it was asked and cannot do
            raise UserError(str(error)) from error
    assert run.summary is not None
    metrics, monitor = run.summary["metrics"], run.summary["monitor"]
    told = {name: value for name, value in metrics.items() if name == monitor or name.startswith("test/")}
    numbers = ", ".join(f"{name} {value:.4g}" for name, value in told.items())
    print(f"{run.folder}: {numbers}; best epoch {run.summary['best_epoch'] + 1} of {run.summary['epochs']}")
    return float(metrics[monitor]) if monitor in metrics else None


def _bring_to_an_end(config: DictConfig, run: Run, identity: str) -> None:
    """Do of the run what is not done yet."""
    if run.summary is None:
        run.start(OmegaConf.to_yaml(config, resolve=True))
        run.finish(_fit_and_test(config, run, identity))
    elif config.test and not any(name.startswith("test/") for name in run.summary["metrics"]):
        run.finish(_test_later(config, run, run.summary, identity))
    else:
        print(f"{run.folder} is finished already; overwrite=true runs it again")


def _fit_and_test(config: DictConfig, run: Run, identity: str) -> dict[str, Any]:
    """A whole run; gives its summary."""
    started = time.time()
    parts = assemble(config, identity)
    trainer = parts.trainer
    with _running(trainer):
        for logger in trainer.loggers:
            logger.log_hyperparams(parts.content)
        trainer.fit(parts.task, parts.data)
        fitted = {name: float(value) for name, value in trainer.callback_metrics.items()}
        tested = _test(parts, run) if config.test else {}
    best = read_checkpoint(run.best)["fbm"]
    return {
        **{"study": config.study, "run": config.name, "task": config.task_name, "init": config.init.name},
        **{"seed": config.seed, "monitor": config.monitor.metric, "metrics": {**best["metrics"], **tested}},
        **{"best_epoch": best["epoch"], "epochs": trainer.current_epoch, "fingerprints": parts.prints},
        **{"loaded": parts.loaded.counts(), "data": config.data.name},
        **{"classes": parts.data.classes, "samples": parts.data.samples},
        **provenance(trainer),
        "throughput": {name[5:]: value for name, value in fitted.items() if name.startswith("time/")},
        "started": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(started)),
        "seconds": round(time.time() - started, 1),
    }


def _test_later(config: DictConfig, run: Run, summary: dict[str, Any], identity: str) -> dict[str, Any]:
    """The summary of a finished run, with the metrics of its best checkpoint on the test split."""
    parts = assemble(config, identity, log=False)
    if parts.prints["data"] != summary["fingerprints"]["data"]:
        raise UserError(f"{run.folder} was trained on other data than {parts.data.store.root} holds now")
    with _running(parts.trainer):
        return {**summary, "metrics": {**summary["metrics"], **_test(parts, run)}}


def _test(parts: Parts, run: Run) -> dict[str, float]:
    """The best checkpoint on the test split."""
    tested = parts.trainer.test(parts.task, parts.data, ckpt_path=run.best, weights_only=True, verbose=False)
    return {name: float(value) for name, value in tested[0].items()}


@contextmanager
def _running(trainer: pl.Trainer) -> Iterator[None]:
    """What surrounds training and testing: fewer warnings, and loggers closed whatever happens."""
    try:
        with warnings.catch_warnings():
            # Reading a memory map is faster than handing clips between processes: no workers is a choice here.
            warnings.filterwarnings("ignore", ".*does not have many workers.*")
            warnings.filterwarnings("ignore", ".*is smaller than the logging interval.*")
            warnings.filterwarnings("ignore", ".*exists and is not empty.*")  # it holds this run's own config.yaml
            yield
    except SystemExit as stopped:  # Lightning's end of an interrupted run
        raise (KeyboardInterrupt if trainer.interrupted else stopped) from None
    finally:
        _finish_wandb()


def _finish_wandb() -> None:
    """End the W&B run, also of a failed job: the next one in this process would go on writing to it.

    Lightning finalizes its loggers itself, and leaves this.
    """
    if "wandb" in sys.modules:
        import wandb

        wandb.finish()
