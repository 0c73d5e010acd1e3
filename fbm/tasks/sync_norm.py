"""Batch norm over all ranks for Lightning, which knows torch's own alone: that one works on GPUs only."""

import pytorch_lightning as pl
from pytorch_lightning.plugins.layer_sync import TorchSyncBatchNorm
from torch import nn

from fbm.models.sync_norm import desynchronise, synchronise


class SyncNorms(TorchSyncBatchNorm):
    """Torch's own on CUDA, ours everywhere else. A plugin for the trainer; checkpoints have the same keys as without.

    Lightning applies it to the task before the fit, and only where a strategy has ranks.
    """

    def apply(self, model: nn.Module) -> nn.Module:
        # The weights are not on their device yet: the trainer knows which one it will be.
        if isinstance(model, pl.LightningModule) and model.trainer.strategy.root_device.type == "cuda":
            return super().apply(model)
        synchronise(model)
        return model

    def revert(self, model: nn.Module) -> nn.Module:
        desynchronise(model)
        return super().revert(model)
