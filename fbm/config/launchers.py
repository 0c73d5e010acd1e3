"""Run jobs by Hydra's launchers: the same plugins that `-m` uses, with a list of jobs instead of a grid."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

from hydra._internal.callbacks import Callbacks  # needed for a HydraContext
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.types import HydraContext
from omegaconf import DictConfig

LONGEST = 120  # characters of a launcher's error


def launch_jobs(config: DictConfig, job: Callable[[DictConfig], Any], overrides: Sequence[Sequence[str]]) -> list[Any]:
    """Call `job` once for each list of overrides, in processes of the launcher; returns its results in their order.

    Hydra has to be initialised.

    Args:
        config: with Hydra's own settings, which choose and configure the launcher.
        job: a function of a module; it should return its errors, as the first one ends the others with some launchers.

    Raises:
        Exception: of the launcher, whatever it is: a worker was killed, a queue rejected the jobs.
    """
    for name in ("hydra", "hydra_plugins"):  # else they would list every job
        logging.getLogger(name).setLevel(logging.WARNING)
    context = HydraContext(GlobalHydra.instance().config_loader(), Callbacks())
    launcher = Plugins.instance().instantiate_launcher(context, job, config)
    returned = launcher.launch([list(job_overrides) for job_overrides in overrides], initial_job_idx=0)
    return [done.return_value for done in returned]


def describe_lost(error: Exception) -> str:
    """What became of a job that ended without a result, by the launcher's error."""
    return f"its process died ({type(error).__name__}: {' '.join(str(error).split())[:LONGEST]})"
