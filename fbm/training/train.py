"""The spine: compose -> build -> fit -> test -> summary."""

import time
import traceback
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig, OmegaConf

from fbm.config.compose import as_yaml, flatten, resolved
from fbm.config.instantiate import check_run
from fbm.config.overrides import check_not_renamed, expand_home
from fbm.config.trainer_settings import UNVALIDATED
from fbm.runs.checkpoints import read_checkpoint
from fbm.runs.files import FAILURE
from fbm.runs.fingerprints import identify
from fbm.runs.folder import Run, open_run_folder
from fbm.runs.provenance import hardware, log_changed_code, record
from fbm.training.callbacks.resume_point import TRAINING, PreemptionCheckpoint
from fbm.training.components import Components, build_components, resolve_device_defaults
from fbm.training.distributed.company import run_as_leader_or_follower
from fbm.training.distributed.start import launch_ranks, several
from fbm.training.distributed.world import wanted
from fbm.training.finished import check_not_stale, has_work_left
from fbm.training.loggers import FinishedRun, close, go_on, mirror
from fbm.training.resume import ResumeSource, check_compatible, configure_checkpointer, find_resume_source
from fbm.training.trainer import check_keeps_best, validate_trainer
from fbm.utils.errors import UserError
from fbm.utils.files import write_text
from fbm.utils.machine import configure_malloc, silence_lightning
from fbm.utils.memory import out_of_memory

TOLD = ("test/loss", "test/clip_top1", "test/video_top1")  # beside the monitored metric, in a run's last line


def train(config: DictConfig) -> float | None:
    """One run, from a composed config to a finished run folder.

    A run that is finished is not run again; with `test`, its best checkpoint is tested if that was not done before.

    Of several processes that were started together the first does this, and the others start their ranks for it.

    Returns:
        The monitored metric of the best checkpoint; also where the same run was finished before. None in processes
        that follow.

    Raises:
        UserError: the config, the store, a checkpoint or the run folder does not allow it.
    """
    expand_home(config)
    check_not_renamed(flatten(OmegaConf.to_container(config, resolve=False)))  # by a config file
    identity = identify(check_run(config))
    ended: list[float | None] = []

    def lead() -> int:
        ended.append(_lead(config, identity))
        return 0

    if run_as_leader_or_follower(identity, lead):
        raise UserError(f"{config.run_dir}: the process that leads this one failed, and says why")
    return ended[0] if ended else None


def _lead(config: DictConfig, identity: str) -> float | None:
    """Hold the run folder while the run is brought to its end, here or by ranks; gives the monitored metric."""
    configure_malloc()
    silence_lightning()
    asked = wanted(config.trainer)
    validate_trainer(config)
    with open_run_folder(config.run_dir, identity, config.overwrite, config.resume) as run:
        if several(asked, str(config.trainer.strategy)) and has_work_left(config, run):
            launch_ranks(config, run, identity, asked)
        else:
            run_to_completion(config, run, identity)
    assert run.summary is not None
    metrics, monitor = run.summary["metrics"], run.summary["monitor"]
    told = [name for name in (monitor, *TOLD) if name in metrics]
    numbers = ", ".join(f"{name} {metrics[name]:.4g}" for name in told)
    if part := FinishedRun(run.folder, run.summary).partial:
        numbers += f"; partial test: {part}"
    print(f"{run.folder}: {numbers}; best epoch {run.summary['best_epoch'] + 1} of {run.summary['epochs']}")
    return float(metrics[monitor]) if monitor in metrics else None


def run_to_completion(config: DictConfig, run: Run, identity: str) -> None:
    """Do of the run what is not done yet, in this process: the whole of it, or one rank's part."""
    resolve_device_defaults(config)
    content = resolved(config)
    try:
        if run.summary is None:
            _fit_and_test(config, content, run, identity)
            return
        check_not_stale(config, run, run.summary)
        if run.main:
            log_changed_code(run.folder, content, "overwrite=true trains it again (the old run is kept inside)")
        if has_work_left(config, run):
            _test_later(config, run, run.summary, identity)
        else:
            print(f"{run.folder} is finished already; overwrite=true runs it again")
    except MisconfigurationException as error:  # Lightning's word for what it was asked and cannot do
        raise UserError(str(error)) from error
    except Exception as error:
        if said := out_of_memory(error):
            raise UserError(said) from error
        if "more than 1 value per channel" in str(error):  # torch's batch norm; a last batch may be one clip
            raise UserError(
                "batch norm cannot learn from a single value a channel: take a data.batch_size that leaves no batch of "
                "one clip, a larger data.size, or encoder.norm=group encoder.mapping_norm=group"
            ) from error
        raise


def _fit_and_test(config: DictConfig, content: dict[str, Any], run: Run, identity: str) -> None:
    """A whole run, or what an interruption left of it to do."""
    run.start(as_yaml(content))
    if run.same and run.main:
        log_changed_code(run.folder, content, "resume=none begins it anew (what is there is kept inside)")
    recorded = record(run.folder, content) if run.main else {}
    start = find_resume_source(run)
    parts = build_components(config, identity, source=start.past.source if start else None)
    check_keeps_best(parts.trainer, run.best)
    if start:
        check_compatible(start, parts)
    run.start(as_yaml(parts.content))  # again: without validation clips it is not what was asked for
    point = configure_checkpointer(parts, start, config.resume)
    with _running(parts.trainer, run):
        if start and start.same:
            print(f"{run.folder} goes on after {point.kept}")
            go_on(parts.trainer.loggers, start.rows)
        for logger in parts.trainer.loggers:
            logger.log_hyperparams(parts.content)
        throughput = _fit(parts, point, start, str(config.monitor.metric))
        if not run.best.is_file():
            raise UserError(UNVALIDATED)
        tested = _test(parts, point, run) if config.test else {}
        summary = {
            **_result(config, parts, run, tested),
            **{**recorded, "hardware": hardware(parts.trainer), "throughput": throughput},
            "started": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(point.past.started)),
            **{"seconds": round(point.seconds, 1), "resumed": point.past.resumed, "source": point.past.source},
        }
        run.finish(summary)
        mirror(parts.trainer.loggers, FinishedRun(run.folder, summary))


def _fit(parts: Components, point: PreemptionCheckpoint, start: ResumeSource | None, monitor: str) -> dict[str, float]:
    """Train, or what is left of it; gives how fast the last epoch was.

    Raises:
        UserError: there is no metric that is called `monitor`.
        Stopped: a signal asked for it; where training is, is saved.
    """
    trainer = parts.trainer
    if start and start.trained:
        point.leave_out(trainer, start.content)
        return _speed(start.metrics)
    try:
        with point.listening():
            trainer.fit(parts.task, parts.data, ckpt_path=start.named if start else None, weights_only=True)
    except (MisconfigurationException, RuntimeError) as error:  # two callbacks look for it, each in its own way
        metrics = trainer.callback_metrics
        if monitor in metrics or monitor not in str(error):
            raise
        if monitor.startswith("val/") and not any(name.startswith("val/") for name in metrics):
            raise UserError(UNVALIDATED) from error
        raise UserError(
            f"monitor.metric={monitor}: there is no such metric; there are {', '.join(sorted(metrics))}"
        ) from error
    return _speed(trainer.callback_metrics)


def _speed(metrics: Mapping[str, Any]) -> dict[str, float]:
    return {name[5:]: float(value) for name, value in metrics.items() if name.startswith("time/")}


def _result(config: DictConfig, parts: Components, run: Run, tested: dict[str, float]) -> dict[str, Any]:
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
    parts = build_components(config, identity, again=True)
    point = configure_checkpointer(parts, None, config.resume)
    point.kept = TRAINING
    with _running(parts.trainer, run):
        tested = _test(parts, point, run)
        summary = {**summary, "metrics": {**summary["metrics"], **tested}, **parts.task.tested}
        run.finish(summary)
        mirror(parts.trainer.loggers, FinishedRun(run.folder, summary, again=True))


def _test(parts: Components, point: PreemptionCheckpoint, run: Run) -> dict[str, float]:
    """The best checkpoint on the test split."""
    with point.listening():
        tested = parts.trainer.test(parts.task, parts.data, ckpt_path=run.best, weights_only=True, verbose=False)
    return {name: float(value) for name, value in tested[0].items()}


@contextmanager
def _running(trainer: pl.Trainer, run: Run) -> Iterator[None]:
    """What surrounds training and testing: fewer warnings, a failure told in the folder, loggers closed in any case."""
    failed = True
    try:
        with warnings.catch_warnings():
            # Reading a clip is faster than handing it between processes: no workers is a choice here.
            warnings.filterwarnings("ignore", ".*does not have many workers.*")
            warnings.filterwarnings("ignore", ".*is smaller than the logging interval.*")
            warnings.filterwarnings("ignore", ".*in eval mode at the start.*")  # a frozen encoder is meant
            warnings.filterwarnings("ignore", ".*exists and is not empty.*")  # checkpoints, of this run
            warnings.filterwarnings("ignore", ".*dataloader is not resumable.*")  # the sampler skips what is done
            warnings.filterwarnings("ignore", ".*callbacks used to create the checkpoint.*")  # of another run
            yield
        failed = False
    except SystemExit as stopped:  # Lightning's end of an interrupted run
        raise (KeyboardInterrupt if trainer.interrupted else stopped) from None
    except Exception:
        if run.summary is None and run.main:
            with suppress(OSError):  # a full disk is the failure itself
                write_text(run.folder / FAILURE, traceback.format_exc())
        raise
    finally:
        close(trainer.loggers, failed)
