"""What a logger does that mirrors a run folder, and asking all of a run's loggers for it."""

import re
from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only, rank_zero_warn

from fbm.runs.checkpoints import find_checkpoint
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
        again: everything but what a test leaves was mirrored before.
    """

    folder: Path
    summary: RunSummary
    again: bool = False

    @property
    def source(self) -> Path | None:
        """The checkpoint that the encoder's weights are from; None for a random start."""
        made_by = self.summary.pretraining
        return find_checkpoint(Path(made_by.folder)) if made_by else None

    @property
    def partial(self) -> str:
        """`80 of 141 clips` where the test left clips out (`trainer.limit_test_batches`), empty for a whole one."""
        tested, clips = self.summary.tested_clips, self.summary.samples.get("test")
        if tested is None or clips is None or tested >= clips:
            return ""
        return f"{tested} of {clips} clips"

    @property
    def pictures(self) -> list[Picture]:
        """What the gallery holds, in order of the epochs."""
        found = [_picture(path) for path in sorted((self.folder / "gallery").glob("*.png"))]
        return [picture for picture in found if picture.epoch is None or not self.again]


def _picture(path: Path) -> Picture:
    numbered = re.fullmatch(r"(.+)-(\d+)", path.stem)
    name, epoch = (numbered[1], int(numbered[2])) if numbered else (path.stem, None)
    return Picture(f"gallery/{name}", epoch, path)


class RunMirror(ReplayableLogger):
    """A logger that shows what a run folder holds."""

    @abstractmethod
    def show(self, run: FinishedRun) -> None:
        """Send what the metrics did not tell: pictures, tables, the summary, the checkpoint."""

    @abstractmethod
    def close(self, failed: bool) -> None:
        """End, and say how the job ended."""


@rank_zero_only
def mirror(loggers: Iterable[Logger], run: FinishedRun) -> None:
    """Let every logger show the run. One that cannot is a warning: the local files are written, and hold it all."""
    for logger in loggers:
        if isinstance(logger, RunMirror):
            try:
                logger.show(run)
            except Exception as error:  # a server and its client can raise anything
                rank_zero_warn(f"{type(logger).__name__} does not show all of {run.folder}: {error!r}")


@rank_zero_only
def close(loggers: Iterable[Logger], failed: bool) -> None:
    """End every logger, also those of a failed job: the next one in this process would go on writing to them."""
    for logger in loggers:
        if isinstance(logger, RunMirror):
            logger.close(failed)


def kept_id(path: Path) -> str | None:
    """The id that a logger has kept in the run folder, if it has."""
    return path.read_text().strip() if path.is_file() else None


def kinds(carried: dict[str, Any]) -> dict[str, str]:
    """What kind of run it is: task, init, data, encoder and its width, from what its checkpoints carry."""
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
