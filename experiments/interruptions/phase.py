"""A callback that writes down what the run is doing, for the lines about its kills."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl


class Phase(pl.Callback):
    """Keeps `path` up to date."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        self._write(f"step {batch_idx + 1} of epoch {trainer.current_epoch + 1}")

    def on_validation_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self._write(f"validation after epoch {trainer.current_epoch + 1}")

    def on_validation_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self._write(f"end of epoch {trainer.current_epoch + 1}")

    def on_train_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self._write("end of training")

    def on_test_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self._write("test")

    def on_test_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self._write("after the test")

    def _write(self, phase: str) -> None:
        self.path.write_text(phase)
