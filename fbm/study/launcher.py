"""Run the jobs of a study by one of Hydra's launchers."""

from collections.abc import Sequence
from dataclasses import dataclass

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from fbm.config.compose import composing
from fbm.config.launchers import describe_lost, launch_jobs
from fbm.config.messages import explain_hydra_error
from fbm.study.job import Job
from fbm.utils.errors import InUseError, UserError
from fbm.utils.files import describe_write_error
from fbm.utils.messages import failure_reason

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
        with composing():
            HydraConfig.instance().set_config(self.config)
            try:
                return launch_jobs(self.config, run_one, [job.overrides for job in jobs])
            except OSError as error:
                return [JobResult(describe_write_error(error) or str(error))] * len(jobs)
            except Exception as error:
                lost = JobResult(describe_lost(error), died=True)
                return [JobResult() if job.finished else lost for job in jobs]
            finally:
                HydraConfig.instance().cfg = None


def run_one(config: DictConfig) -> JobResult:
    """Run one job, in a process of the launcher. Raises nothing, so that the others are run."""
    from fbm.training.launch import run_training

    try:
        run_training(config)
    except InUseError as error:
        return JobResult(str(error), is_locked=True)
    except Exception as error:
        return JobResult(failure_reason(error))
    return JobResult()
