"""TensorBoard event files in the run folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.image
import pytorch_lightning as pl

from fbm.training.loggers.mirror import FinishedRun, RunMirror
from fbm.training.loggers.resumable import Row
from fbm.utils.errors import UserError


class TensorBoardLogger(RunMirror, pl.loggers.TensorBoardLogger):
    """Metrics, the config and the gallery's pictures.

    Args:
        folder: for the event files.

    Raises:
        UserError: TensorBoard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            super().__init__(save_dir=folder, name="", version="", default_hp_metric=False)
        except ModuleNotFoundError as error:
            raise UserError("logger=tensorboard needs TensorBoard: pip install fbm-video[tensorboard]") from error

    def log_row(self, metrics: Mapping[str, Any], step: int | None) -> None:
        pl.loggers.TensorBoardLogger.log_metrics(self, dict(metrics), step)

    def replay(self, rows: Sequence[Row]) -> None:
        """Purge the events of earlier processes and log the full history again."""
        super().replay(rows)
        self._kwargs["purge_step"] = 0
        for row in rows:
            self.log_row(row.metrics, row.step)

    def log_run(self, run: FinishedRun) -> None:
        for picture in run.pictures:
            pixels = matplotlib.image.imread(picture.path)
            self.experiment.add_image(picture.key, pixels, picture.epoch, dataformats="HWC")

    def close(self, failed: bool) -> None:
        if self._experiment is not None:
            self._experiment.close()
