"""Metadata in every checkpoint, as plain values that weights-only loading accepts."""

from typing import Any

import pytorch_lightning as pl


class CheckpointMetadata(pl.Callback):
    """Adds the key `fbm` to checkpoints: config, task, fingerprints, last epoch and newest metrics."""

    def __init__(self, carried: dict[str, Any]) -> None:
        self.carried = carried

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        epochs: Any = trainer.fit_loop.epoch_progress.current  # its type is declared too narrow
        checkpoint["fbm"] = {**self.carried, "epoch": max(0, epochs.started - 1), "metrics": metrics}
