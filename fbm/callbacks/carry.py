"""What every checkpoint carries beside the weights, as plain values that weights-only loading accepts."""

from typing import Any

import pytorch_lightning as pl


class Carry(pl.Callback):
    """Puts `fbm` into checkpoints: the resolved config, task, fingerprints, epoch, and the metrics of that moment."""

    def __init__(self, carried: dict[str, Any]) -> None:
        self.carried = carried

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        checkpoint["fbm"] = {**self.carried, "epoch": trainer.current_epoch, "metrics": metrics}
