"""What the tasks share: an encoder, an optimiser with the paper's weight decay, pictures to look at."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from fbm.batch import ClipBatch
from fbm.models.encoder import C3DEncoder
from fbm.models.layers import centred

MakeOptimizer = Callable[[Iterable[dict[str, Any]]], Optimizer]
MakeSchedule = Callable[[Optimizer], LRScheduler]


class Pictures(NamedTuple):
    """Frames to hang side by side: N titles, and `B N 3 H W` float in [-1, 1] reconstructed and true."""

    titles: tuple[str, ...]
    reconstructed: Tensor
    true: Tensor


class Task(pl.LightningModule):
    """A network around the shared encoder.

    Args:
        network: has the encoder as its attribute `encoder`.
        optimizer: makes the optimiser from parameter groups.
        schedule: makes a learning rate schedule, stepped every training step; None keeps the rate.
    """

    def __init__(self, network: nn.Module, optimizer: MakeOptimizer, schedule: MakeSchedule | None) -> None:
        super().__init__()
        self.network = network
        self.make_optimizer, self.make_schedule = optimizer, schedule
        # What a test leaves for the summary beside its metrics. Confusions: counts, rows true, columns predicted.
        self.tested: dict[str, Any] = {"confusion": None, "video_confusion": None}

    @property
    def encoder(self) -> C3DEncoder:
        """The part that all tasks share."""
        encoder = self.network.encoder
        assert isinstance(encoder, C3DEncoder)
        return encoder

    def inputs(self, batch: ClipBatch) -> tuple[Tensor, Tensor]:
        """Clips `B 3 T H W` in [-1, 1] and masks `B T H W`, both float, from what came over the wire."""
        return centred(batch.frames), batch.masks.float()

    def log_mean(self, name: str, value: Tensor, samples: int, bar: bool = False) -> None:
        """Log the mean over an epoch's samples."""
        self.log(name, value, on_step=False, on_epoch=True, batch_size=samples, prog_bar=bar)

    def configure_optimizers(self) -> Any:
        optimizer = self.make_optimizer(parameter_groups(self.network))
        if self.make_schedule is None:
            return optimizer
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": self.make_schedule(optimizer), "interval": "step"},
        }


class PretrainingTask(Task, ABC):
    """A task that learns by reconstruction: its pictures can be looked at."""

    @abstractmethod
    def pictures(self, batch: ClipBatch) -> Pictures:
        """Reconstructions of a batch beside the truth, without gradient."""

    @abstractmethod
    def terms(self, batch: ClipBatch) -> dict[str, Tensor]:
        """The loss as `loss`, and its parts by name."""

    def training_step(self, batch: ClipBatch, index: int) -> Tensor:
        return self._step(batch, "train")

    def validation_step(self, batch: ClipBatch, index: int) -> None:
        self._step(batch, "val")

    def test_step(self, batch: ClipBatch, index: int) -> None:
        self._step(batch, "test")

    def _step(self, batch: ClipBatch, split: str) -> Tensor:
        terms = self.terms(batch)
        for name, value in terms.items():
            self.log_mean(f"{split}/{name}", value.detach(), len(batch.frames), bar=name == "loss")
        return terms["loss"]


def parameter_groups(network: nn.Module) -> list[dict[str, Any]]:
    """Two groups: batch norm's parameters without weight decay, all others with the optimiser's own rate.

    Plain Adam adds the decay to the gradient, as the paper does.
    """
    norms = {
        id(parameter)
        for layer in network.modules()
        if isinstance(layer, nn.modules.batchnorm._BatchNorm)
        for parameter in layer.parameters()
    }
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    decayed = [parameter for parameter in trained if id(parameter) not in norms]
    others = [parameter for parameter in trained if id(parameter) in norms]
    groups: list[dict[str, Any]] = [{"params": decayed}]
    return [*groups, {"params": others, "weight_decay": 0.0}] if others else groups


def stacked(frames: Iterable[Tensor]) -> Tensor:
    """Frames `B 3 H W`, N of them, to `B N 3 H W`."""
    return torch.stack(list(frames), dim=1)
