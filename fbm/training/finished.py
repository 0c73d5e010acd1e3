"""What is left to do of a run that may be finished already."""

from contextlib import suppress
from pathlib import Path

from omegaconf import DictConfig

from fbm.data.store.manifest import read_manifest
from fbm.runs.checkpoints import read_checkpoint
from fbm.runs.folder import Run
from fbm.runs.summary import RunSummary
from fbm.utils.errors import UserError


def has_work_left(config: DictConfig, run: Run) -> bool:
    """Whether the run has to be trained, or is finished and has to be tested."""
    return run.summary is None or (config.test and not run.summary.tested)


def check_not_stale(config: DictConfig, run: Run, summary: RunSummary) -> None:
    """Reject a finished run whose store or initial weights have been made again since, with other content.

    Args:
        summary: of the finished run.

    Raises:
        UserError: it was trained on other data than the store holds now, or started from earlier weights.
    """
    data = None
    with suppress(UserError):  # a finished run does not need its store
        data = read_manifest(Path(config.data.store)).fingerprint
    if data not in (None, summary.fingerprints.data):
        raise UserError(
            f"{run.folder} was trained on other data than {config.data.store} holds now: run `fbm prepare` with the "
            "earlier settings and videos, or overwrite=true trains on these (the old run is kept in a folder inside)"
        )
    made_by, checkpoint = summary.pretraining, config.init.checkpoint
    if made_by is None or checkpoint is None or not Path(str(checkpoint)).exists():
        return
    if read_checkpoint(Path(str(checkpoint)))["fbm"]["fingerprints"]["config"] != made_by.fingerprint:
        raise UserError(
            f"{run.folder} started from earlier weights than {checkpoint} holds now: overwrite=true runs it again "
            "(the old one is kept in a folder inside)"
        )
