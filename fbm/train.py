"""The spine: compose -> build -> fit -> test -> summary."""

import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig, OmegaConf

from fbm.assemble import Parts, assemble
from fbm.checkpoints import read_checkpoint
from fbm.config import check_run
from fbm.errors import UserError
from fbm.files import write_text
from fbm.fingerprints import identify
from fbm.loggers import FinishedRun, close, mirror
from fbm.machine import keep_memory, quiet
from fbm.provenance import hardware, record
from fbm.run_folder import Run, open_run

TOLD = ("test/loss", "test/clip_top1", "test/video_top1")  # beside the monitored metric, in a run's last line
FAILURE = "failure.txt"  # the traceback, in the folder of a run that failed


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
    identity = identify(check_run(config))
    with open_run(config.run_dir, identity, config.overwrite) as run:
        try:
            _bring_to_an_end(config, run, identity)
        except MisconfigurationException as error:  # Lightning's word for what it was asked and cannot do
            raise UserError(str(error)) from error
    assert run.summary is not None
    metrics, monitor = run.summary["metrics"], run.summary["monitor"]
    told = [name for name in (monitor, *TOLD) if name in metrics]
    numbers = ", ".join(f"{name} {metrics[name]:.4g}" for name in told)
    print(f"{run.folder}: {numbers}; best epoch {run.summary['best_epoch'] + 1} of {run.summary['epochs']}")
    return float(metrics[monitor]) if monitor in metrics else None


def _bring_to_an_end(config: DictConfig, run: Run, identity: str) -> None:
    """Do of the run what is not done yet."""
    if run.summary is None:
        run.start(OmegaConf.to_yaml(config, resolve=True))
        _fit_and_test(config, run, identity)
        return
    _refuse_stale(config, run, run.summary)
    if config.test and not any(name.startswith("test/") for name in run.summary["metrics"]):
        _test_later(config, run, run.summary, identity)
    else:
        print(f"{run.folder} is finished already; overwrite=true runs it again")


def _refuse_stale(config: DictConfig, run: Run, summary: dict[str, Any]) -> None:
    """A finished run is not this one, if the weights it started from were made anew with other settings since."""
    made_by, checkpoint = summary.get("pretraining"), config.init.checkpoint
    if made_by is None or checkpoint is None or not Path(checkpoint).exists():
        return
    if read_checkpoint(Path(checkpoint))["fbm"]["fingerprints"]["config"] != made_by["fingerprint"]:
        raise UserError(
            f"{run.folder} started from earlier weights than {checkpoint} holds now: overwrite=true runs it again "
            "(the old one is kept in a folder inside)"
        )


def _fit_and_test(config: DictConfig, run: Run, identity: str) -> None:
    """A whole run."""
    started, recorded = time.time(), record(run.folder)
    parts = assemble(config, identity)
    with _running(parts.trainer, run):
        for logger in parts.trainer.loggers:
            logger.log_hyperparams(parts.content)
        throughput = _fit(parts, str(config.monitor.metric))
        tested = _test(parts, run) if config.test else {}
        summary = {
            **_result(config, parts, run, tested),
            **{**recorded, "hardware": hardware(parts.trainer), "throughput": throughput},
            "started": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(started)),
            "seconds": round(time.time() - started, 1),
        }
        run.finish(summary)
        mirror(parts.trainer.loggers, FinishedRun(run.folder, summary))


def _fit(parts: Parts, monitor: str) -> dict[str, float]:
    """Train; gives how fast it was.

    Raises:
        UserError: there is no metric that is called `monitor`.
    """
    try:
        parts.trainer.fit(parts.task, parts.data)
    except (MisconfigurationException, RuntimeError) as error:  # two callbacks look for it, each in its own way
        metrics = parts.trainer.callback_metrics
        if monitor in metrics or monitor not in str(error):
            raise
        raise UserError(
            f"monitor.metric={monitor}: there is no such metric; there are {', '.join(sorted(metrics))}"
        ) from error
    logged = parts.trainer.callback_metrics
    return {name[5:]: float(value) for name, value in logged.items() if name.startswith("time/")}


def _result(config: DictConfig, parts: Parts, run: Run, tested: dict[str, float]) -> dict[str, Any]:
    """The part of the summary that tells what was done and what came of it."""
    best = read_checkpoint(run.best)["fbm"]
    return {
        **{"study": config.study, "run": config.name, "job_type": config.job_type, "task": config.task_name},
        **{"init": config.init.name, "seed": config.seed, "label_fraction": float(config.data.label_fraction)},
        **{"monitor": config.monitor.metric, "metrics": {**best["metrics"], **tested}, **parts.task.tested},
        **{"best_epoch": best["epoch"], "epochs": parts.trainer.current_epoch, "fingerprints": parts.prints},
        **{"loaded": parts.loaded.counts(), "pretraining": parts.loaded.pretraining, "data": config.data.name},
        **{"classes": parts.data.classes, "samples": parts.data.samples},
    }


def _test_later(config: DictConfig, run: Run, summary: dict[str, Any], identity: str) -> None:
    """Add to a finished run's summary what its best checkpoint does on the test split."""
    parts = assemble(config, identity, again=True)
    if parts.prints["data"] != summary["fingerprints"]["data"]:
        raise UserError(f"{run.folder} was trained on other data than {parts.data.store.root} holds now")
    with _running(parts.trainer, run):
        tested = _test(parts, run)
        summary = {**summary, "metrics": {**summary["metrics"], **tested}, **parts.task.tested}
        run.finish(summary)
        mirror(parts.trainer.loggers, FinishedRun(run.folder, summary, again=True))


def _test(parts: Parts, run: Run) -> dict[str, float]:
    """The best checkpoint on the test split."""
    tested = parts.trainer.test(parts.task, parts.data, ckpt_path=run.best, weights_only=True, verbose=False)
    return {name: float(value) for name, value in tested[0].items()}


@contextmanager
def _running(trainer: pl.Trainer, run: Run) -> Iterator[None]:
    """What surrounds training and testing: fewer warnings, a failure told in the folder, loggers closed in any case."""
    failed = True
    try:
        with warnings.catch_warnings():
            # Reading a memory map is faster than handing clips between processes: no workers is a choice here.
            warnings.filterwarnings("ignore", ".*does not have many workers.*")
            warnings.filterwarnings("ignore", ".*is smaller than the logging interval.*")
            warnings.filterwarnings("ignore", ".*in eval mode at the start.*")  # a frozen encoder is meant
            warnings.filterwarnings("ignore", ".*exists and is not empty.*")  # it holds this run's own config.yaml
            yield
        failed = False
    except SystemExit as stopped:  # Lightning's end of an interrupted run
        raise (KeyboardInterrupt if trainer.interrupted else stopped) from None
    except Exception:
        if run.summary is None:
            with suppress(OSError):  # a full disk is the failure itself
                write_text(run.folder / FAILURE, traceback.format_exc())
        raise
    finally:
        close(trainer.loggers, failed)
