"""Loggers that mirror a run folder: pictures, tables, summary and checkpoint beside the metrics."""

import re
from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only, rank_zero_warn

from fbm.runs.locate import find_checkpoint
from fbm.runs.summary import RunSummary
from fbm.training.loggers.resumable import ReplayableLogger

PARTIAL = "partial test"  # tag of a run whose test left clips out


class Picture(NamedTuple):
    """A PNG file of the gallery; pictures of the same thing after different epochs have one key."""

    key: str
    epoch: int | None
    path: Path


@dataclass(frozen=True)
class FinishedRun:
    """A run folder whose local files are all written.

    Args:
        folder: with `summary.json`, `config.yaml`, `checkpoints`, `gallery`.
        summary: what `summary.json` holds.
        again: the run was mirrored before, and only its test is new.
    """

    folder: Path
    summary: RunSummary
    again: bool = False

    @property
    def source(self) -> Path | None:
        """The checkpoint of the encoder's initial weights; None for a random initialisation."""
        made_by = self.summary.pretraining
        return find_checkpoint(Path(made_by.folder)) if made_by else None

    @property
    def pictures(self) -> list[Picture]:
        """The pictures of the gallery, in order of the epochs."""
        found = [_picture(path) for path in sorted((self.folder / "gallery").glob("*.png"))]
        return [picture for picture in found if picture.epoch is None or not self.again]


def _picture(path: Path) -> Picture:
    numbered = re.fullmatch(r"(.+)-(\d+)", path.stem)
    name, epoch = (numbered[1], int(numbered[2])) if numbered else (path.stem, None)
    return Picture(f"gallery/{name}", epoch, path)


class RunMirror(ReplayableLogger):
    """A logger that also logs what a run folder holds."""

    @abstractmethod
    def log_run(self, run: FinishedRun) -> None:
        """Log a finished run: pictures, tables, the summary, the checkpoint."""

    @abstractmethod
    def close(self, failed: bool) -> None:
        """Finish, with the outcome of the job."""


@rank_zero_only
def mirror(loggers: Iterable[Logger], run: FinishedRun) -> None:
    """Have every logger log the run. A failure is only a warning, since the local files are complete."""
    for logger in loggers:
        if isinstance(logger, RunMirror):
            try:
                logger.log_run(run)
            except Exception as error:  # a server and its client can raise anything
                rank_zero_warn(f"{type(logger).__name__} did not log all of {run.folder}: {error!r}")


@rank_zero_only
def close(loggers: Iterable[Logger], failed: bool) -> None:
    """Finish every logger, also after a failure: the next job in this process would write to them."""
    for logger in loggers:
        if isinstance(logger, RunMirror):
            logger.close(failed)


def saved_run_id(path: Path) -> str | None:
    """The id that a logger has saved in the run folder, if any."""
    return path.read_text().strip() if path.is_file() else None


def kinds(carried: dict[str, Any]) -> dict[str, str]:
    """The kind of a run: task, init, data, encoder and its width, from the metadata of its checkpoints."""
    config = carried.get("config", {})
    encoder = config.get("encoder", {})
    named = {
        "task": config.get("task_name"),
        "init": config.get("init", {}).get("name"),
        "data": config.get("data", {}).get("name"),
        "encoder": str(encoder.get("_target_", "")).rpartition(".")[2],
        "width": f"width {encoder['width']}" if "width" in encoder else None,
    }
    return {kind: str(name) for kind, name in named.items() if name}
