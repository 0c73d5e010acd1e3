"""Run jobs by Hydra's launchers: the same plugins that `-m` uses, with a list of jobs instead of a grid."""

import logging
import traceback
from collections.abc import Sequence
from dataclasses import dataclass

import hydra
from hydra._internal.callbacks import Callbacks  # needed for a HydraContext
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.types import HydraContext
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from fbm.config.compose import composing
from fbm.config.messages import explain_hydra_error
from fbm.study.job import Job
from fbm.utils.errors import InUseError, UserError
from fbm.utils.files import describe_write_error
from fbm.utils.messages import user_message

LONGEST = 120  # characters of a launcher's error
# The study prints its own messages.
QUIET = ("hydra.mode=MULTIRUN", "hydra/hydra_logging=none")


@dataclass(frozen=True)
class JobResult:
    """How a job ended.

    Attributes:
        reason: why it failed; None if it did not.
        is_locked: another process is running it.
        died: its process died.
    """

    reason: str | None = None
    is_locked: bool = False
    died: bool = False


class Launcher:
    """One of Hydra's launchers.

    Args:
        option: one of `conf/launcher`; None runs one job after the other in this process.
        study: whose folder the launcher may write to.
        settings: of the launcher, such as `hydra.launcher.n_jobs=4`.

    Raises:
        UserError: the launcher is unknown, not installed, or does not know a setting.
    """

    def __init__(self, option: str | None, study: str, settings: Sequence[str] = ()) -> None:
        chosen = [f"launcher={option}"] if option else []
        with composing():
            try:
                overrides = [f"study={study}", *chosen, *QUIET, *settings]
                self.config = hydra.compose("train", overrides, return_hydra_config=True)
            except (HydraException, OmegaConfBaseException) as error:
                raise UserError(explain_hydra_error(error, "train")) from error
        if "BasicSweeper" not in self.config.hydra.sweeper._target_:
            raise UserError(
                "a study launches the runs that it declares, and searches for none: a sweeper is for `fbm train -m`"
            )

    def run(self, jobs: Sequence[Job]) -> list[JobResult]:
        """Run independent jobs; returns how each ended."""
        for name in ("hydra", "hydra_plugins"):  # else they would list every job again
            logging.getLogger(name).setLevel(logging.WARNING)
        with composing():
            HydraConfig.instance().set_config(self.config)
            context = HydraContext(GlobalHydra.instance().config_loader(), Callbacks())
            launcher = Plugins.instance().instantiate_launcher(context, run_one, self.config)
            try:
                returned = launcher.launch([list(job.overrides) for job in jobs], initial_job_idx=0)
            except OSError as error:
                return [JobResult(describe_write_error(error) or str(error))] * len(jobs)
            except Exception as error:  # of the launcher: a worker was killed, a queue rejected the jobs
                text = " ".join(str(error).split())[:LONGEST]
                lost = JobResult(f"its process died ({type(error).__name__}: {text})", died=True)
                return [JobResult() if job.finished else lost for job in jobs]
            finally:
                HydraConfig.instance().cfg = None
        return [done.return_value for done in returned]


def run_one(config: DictConfig) -> JobResult:
    """Run one job, in a process of the launcher. Raises nothing, so that the others are run."""
    from fbm.training.launch import run_training

    try:
        run_training(config)
    except InUseError as error:
        return JobResult(str(error), is_locked=True)
    except Exception as error:
        reason = user_message(error)
        if reason is None:
            traceback.print_exc()
            reason = f"{type(error).__name__}: {error}"
        return JobResult(" ".join(reason.split()))
    return JobResult()
