"""From a composed config to a finished run folder: trained in this process, or by ranks that it launches."""

from typing import TYPE_CHECKING

from omegaconf import DictConfig

from fbm.config.instantiate import check_run
from fbm.runs.fingerprints import identify
from fbm.training.early import check_early

if TYPE_CHECKING:
    from fbm.runs.folder import Run

SUMMARY_METRICS = ("test/loss", "test/clip_top1", "test/video_top1")  # printed at the end, after the monitored one


def run_training(config: DictConfig) -> float | None:
    """Bring one run to its end. A finished run is not trained again; with `test` it is tested if it was not before.

    Returns:
        The monitored metric of the best checkpoint; None if it was not logged, and in processes that follow process 0
        (see `launch_training`).

    Raises:
        UserError: the config, the store, a checkpoint or the run folder does not allow it.
        Stopped: a signal asked for it, and the state of the training is saved.
    """
    check_early(config)  # before torch is imported
    from fbm.training.distributed.launcher import launch_training
    from fbm.training.train import train
    from fbm.utils.machine import configure_malloc, silence_lightning

    configure_malloc()
    silence_lightning()
    run = launch_training(train, config, identify(check_run(config)))
    return _report(run) if run else None


def _report(run: "Run") -> float | None:
    """Print one line of results; gives the monitored metric."""
    assert run.summary is not None
    metrics, monitor = run.summary.metrics, run.summary.monitor
    shown = [name for name in (monitor, *SUMMARY_METRICS) if name in metrics]
    ends = {name: f" ({low:.4g} to {high:.4g})" for name, (low, high) in run.summary.intervals.items()}
    numbers = ", ".join(f"{name} {metrics[name]:.4g}{ends.get(name, '')}" for name in shown)
    if part := run.summary.partial:
        numbers += f"; partial test: {part}"
    best = run.summary.best_epoch or 0
    print(f"{run.folder}: {numbers}; best epoch {best + 1} of {run.summary.epochs}")
    return metrics.get(monitor)
