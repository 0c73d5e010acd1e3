"""One run: build data, task and trainer, then fit, test, and write the summary."""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from omegaconf import DictConfig

from fbm.config.compose import as_yaml, resolved
from fbm.config.trainer_settings import UNVALIDATED
from fbm.runs.checkpoints import read_checkpoint
from fbm.runs.folder import Run
from fbm.runs.provenance import hardware, log_changed_code, record
from fbm.runs.summary import Fingerprints, Origin, RunSummary
from fbm.training.callbacks.preemption import TRAINING_COMPLETE, PreemptionCheckpoint
from fbm.training.components import Components, build_components
from fbm.training.failures import missing_monitor, training_context, user_errors
from fbm.training.finished import check_not_stale, has_work_left
from fbm.training.intervals import group_intervals
from fbm.training.loggers import FinishedRun, mirror, replay
from fbm.training.resume import check_compatible, configure_checkpointer, find_resume_source
from fbm.training.trainer import check_keeps_best
from fbm.utils.errors import UserError


def train(config: DictConfig, run: Run, identity: str) -> None:
    """Train and test one run in this process, as its only process or as one of its ranks; skip what is done already.

    Args:
        config: as composed. What it leaves open by device and data is settled in place; then it is read-only.
        run: its folder, locked by this process or by the one that launched the ranks.
        identity: the fingerprint `run` (docs/glossary.md), by which a run folder is recognised.

    Raises:
        UserError: the config, the store or a checkpoint does not allow it.
        Stopped: a signal ended the run; the message says from where the same command resumes it.
    """
    with user_errors():
        if run.summary is not None:
            _complete(config, run, run.summary, identity)
            return
        source = find_resume_source(run)
        components = build_components(config, identity, source=source.history.source if source else None)
        data, task, trainer = components.data, components.task, components.trainer
        check_keeps_best(trainer, run.best)
        if source:
            check_compatible(source, components)
        provenance = _begin(run, components.resolved_config)
        checkpointer = configure_checkpointer(components, source, config.resume)
        with training_context(trainer, run):
            if source and source.own_checkpoint:
                print(f"{run.folder} resumes after {checkpointer.saved_position}")
                replay(trainer.loggers, source.rows)
            for logger in trainer.loggers:
                logger.log_hyperparams(components.resolved_config)
            if source and source.trained:
                checkpointer.skip_fit(trainer, source.checkpoint)
            else:
                with checkpointer.handle_signals(), missing_monitor(trainer, config.monitor.metric):
                    # weights_only is torch's safe loading; the optimiser's state and all else are restored too
                    trainer.fit(task, data, ckpt_path=source.path if source else None, weights_only=True)
            throughput = _throughput(source.metrics if source and source.trained else trainer.callback_metrics)
            if not run.best.is_file():
                raise UserError(UNVALIDATED)
            test_metrics = _run_test(components, checkpointer, run) if config.test else {}
            summary = RunSummary(
                **_results(config, components, run, test_metrics),
                **provenance,
                hardware=hardware(trainer),
                throughput=throughput,
                started=time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(checkpointer.history.started)),
                seconds=round(checkpointer.seconds, 1),
                resumed=checkpointer.history.resumed,
                source=checkpointer.history.source,
            )
            run.finish(summary)
            mirror(trainer.loggers, FinishedRun(run.folder, summary))


def _begin(run: Run, resolved_config: dict[str, Any]) -> dict[str, Any]:
    """Write config and code into the run folder; returns the provenance for the summary."""
    run.start(as_yaml(resolved_config))
    if not run.is_main_process:
        return {}
    if run.own_checkpoint:
        log_changed_code(run.folder, resolved_config, "resume=none starts over (what is there is kept inside)")
    return record(run.folder, resolved_config)


def _run_test(components: Components, checkpointer: PreemptionCheckpoint, run: Run) -> dict[str, float]:
    """The best checkpoint on the test split."""
    with checkpointer.handle_signals():
        (metrics,) = components.trainer.test(
            components.task, components.data, ckpt_path=run.best, weights_only=True, verbose=False
        )
    return {name: float(value) for name, value in metrics.items()}


def _results(config: DictConfig, components: Components, run: Run, test_metrics: dict[str, float]) -> dict[str, Any]:
    """What was trained, and its results."""
    best = read_checkpoint(run.best)["fbm"]
    return {
        "study": config.study,
        "run": config.name,
        "job_type": config.job_type,
        "task": config.task_name,
        "init": config.init.name,
        "seed": config.seed,
        "label_fraction": float(config.data.label_fraction),
        "monitor": config.monitor.metric,
        "metrics": {**best["metrics"], **test_metrics},
        **_test_artifacts(components),
        "best_epoch": best["epoch"],
        "epochs": components.trainer.current_epoch,
        "fingerprints": Fingerprints(**components.fingerprints),
        "loaded": components.loaded.counts(),
        "pretraining": Origin(**components.loaded.pretraining) if components.loaded.pretraining else None,
        "data": config.data.name,
        "classes": components.data.classes,
        "samples": components.data.samples,
    }


def _test_artifacts(components: Components) -> dict[str, Any]:
    """What a test leaves besides its metrics."""
    task = components.task
    intervals = group_intervals(task.test_outcomes, components.data.clips["test"])
    return {**task.test_artifacts, "intervals": intervals}


def _throughput(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Speed of the last epoch: what was logged as `time/NAME`, by NAME."""
    return {name.removeprefix("time/"): float(value) for name, value in metrics.items() if name.startswith("time/")}


def _complete(config: DictConfig, run: Run, summary: RunSummary, identity: str) -> None:
    """Test a finished run if that is asked for and was not done, and add the metrics to its summary."""
    check_not_stale(config, run, summary)
    if run.is_main_process:
        log_changed_code(run.folder, resolved(config), "overwrite=true trains it again (the old run is kept inside)")
    if not has_work_left(config, run):
        print(f"{run.folder} is finished already; overwrite=true runs it again")
        return
    components = build_components(config, identity, again=True)
    checkpointer = configure_checkpointer(components, None, config.resume)
    checkpointer.saved_position = TRAINING_COMPLETE  # for the message, if a signal ends this test
    with training_context(components.trainer, run):
        test_metrics = _run_test(components, checkpointer, run)
        summary = replace(summary, metrics={**summary.metrics, **test_metrics}, **_test_artifacts(components))
        run.finish(summary)
        mirror(components.trainer.loggers, FinishedRun(run.folder, summary, again=True))
