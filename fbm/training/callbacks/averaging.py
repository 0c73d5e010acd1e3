"""An exponential moving average of the weights, which is what is validated, tested and kept."""

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import EMAWeightAveraging
from pytorch_lightning.trainer.states import TrainerFn

from fbm.utils.errors import UserError


class WeightAverage(EMAWeightAveraging):
    """Lightning's average, on the training's device, for runs that resume.

    In checkpoints `state_dict` is the average, `current_model_state` the weights that training continues with: the
    latter are not in best.ckpt, from which nothing resumes. Batch norm's statistics are averaged like the weights.

    Args:
        decay: of the average at each optimiser step. The first step sets it to the weights.
    """

    def __init__(self, decay: float = 0.999) -> None:
        if not 0 <= decay < 1:
            raise UserError(f"callbacks.ema.decay={decay} must be at least 0 and below 1")
        super().__init__(decay=decay)

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        # The module is moved to the device later; an average left behind would be fetched at every step.
        self._device = trainer.strategy.root_device
        super().setup(trainer, pl_module, stage)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep the weights: the test loads the average from best.ckpt, and last.ckpt must hold both."""

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        if trainer.state.fn == TrainerFn.FITTING:
            super().on_load_checkpoint(trainer, pl_module, checkpoint)
