"""What surrounds training: known failures become one line, others are kept in the run folder."""

import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytorch_lightning as pl
from lightning_fabric.utilities.exceptions import MisconfigurationException

from fbm.config.trainer_settings import UNVALIDATED
from fbm.runs.files import FAILURE
from fbm.runs.folder import Run
from fbm.training.loggers import close
from fbm.utils.errors import UserError
from fbm.utils.files import write_text
from fbm.utils.memory import out_of_memory

EXPECTED_WARNINGS = (
    ".*does not have many workers.*",  # reading a clip is faster than handing it between processes
    ".*is smaller than the logging interval.*",
    ".*in eval mode at the start.*",  # a frozen encoder is meant to be
    ".*exists and is not empty.*",  # the checkpoint folder, of this run
    ".*dataloader is not resumable.*",  # the sampler skips the samples that are done
    ".*callbacks used to create the checkpoint.*",  # of the run that this one started from
)


@contextmanager
def user_errors() -> Iterator[None]:
    """Turn what a user can fix (Lightning's settings, memory, batch norm over one value) into a `UserError`."""
    try:
        yield
    except MisconfigurationException as error:
        raise UserError(str(error)) from error
    except Exception as error:
        if message := out_of_memory(error):
            raise UserError(message) from error
        if "DataLoader timed out" in str(error):
            raise UserError(
                f"{error}: a video may hang its decoder; `fbm doctor` names those that do not decode, and "
                "`fbm prepare data.frames=jpeg data.store=PATH` makes a store that decodes each only once"
            ) from error
        if "more than 1 value per channel" in str(error):  # torch's batch norm; a last batch may be one clip
            raise UserError(
                "batch norm cannot learn from a single value a channel: take a data.batch_size that leaves no batch of "
                "one clip, a larger data.size, or encoder.norm=group encoder.mapping_norm=group"
            ) from error
        raise


@contextmanager
def missing_monitor(trainer: pl.Trainer, monitor: str) -> Iterator[None]:
    """Around a fit: a metric to monitor that nothing logs is a `UserError` that names those there are."""
    try:
        yield
    except (MisconfigurationException, RuntimeError) as error:  # two callbacks look for it, each in its own way
        metrics = trainer.callback_metrics
        if monitor in metrics or monitor not in str(error):
            raise
        if monitor.startswith("val/") and not any(name.startswith("val/") for name in metrics):
            raise UserError(UNVALIDATED) from error
        raise UserError(
            f"monitor.metric={monitor}: there is no such metric; there are {', '.join(sorted(metrics))}"
        ) from error


@contextmanager
def training_context(trainer: pl.Trainer, run: Run) -> Iterator[None]:
    """Around fit and test: expected warnings are silenced, a traceback is kept, loggers are closed in any case."""
    failed = True
    try:
        with warnings.catch_warnings():
            for pattern in EXPECTED_WARNINGS:
                warnings.filterwarnings("ignore", pattern)
            yield
        failed = False
    except SystemExit as stopped:  # how Lightning ends an interrupted run
        raise (KeyboardInterrupt if trainer.interrupted else stopped) from None
    except Exception:
        if run.summary is None and run.is_main_process:
            with suppress(OSError):  # a full disk is the failure itself
                write_text(run.folder / FAILURE, traceback.format_exc())
        raise
    finally:
        close(trainer.loggers, failed)
