"""TensorBoard event files in the run folder."""

from pathlib import Path

import matplotlib.image
import pytorch_lightning as pl

from fbm.errors import UserError
from fbm.loggers.mirror import FinishedRun, Mirror


class TensorBoardLogger(Mirror, pl.loggers.TensorBoardLogger):
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

    def show(self, run: FinishedRun) -> None:
        for picture in run.pictures:
            pixels = matplotlib.image.imread(picture.path)
            self.experiment.add_image(picture.key, pixels, picture.epoch, dataformats="HWC")

    def close(self, failed: bool) -> None:
        if self._experiment is not None:
            self._experiment.close()
