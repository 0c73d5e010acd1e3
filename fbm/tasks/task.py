"""What the tasks share: an encoder, an optimiser with the paper's weight decay, pictures to look at."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torchmetrics import Metric

from fbm.data.batch import ClipBatch, SizedEvaluation
from fbm.models.encoder import Encoder
from fbm.models.layers import NORMS, centred
from fbm.tasks.epoch_state import restore_states, states_of_ranks
from fbm.tasks.metrics import Mean, SampleCounter

MakeOptimizer = Callable[[Iterable[dict[str, Any]]], Optimizer]
MakeSchedule = Callable[[Optimizer], LRScheduler]


SPLITS = ("train", "val", "test")
EPOCH = "fbm_epoch"  # in checkpoints: what the training metrics had seen of the running epoch


class Pictures(NamedTuple):
    """Frames to hang side by side: N titles, and `B N 3 H W` float in [-1, 1] reconstructed and true."""

    titles: tuple[str, ...]
    reconstructed: Tensor
    true: Tensor


class Task(pl.LightningModule, ABC):
    """A network around the shared encoder.

    Attributes:
        masked: the frames of a clip whose masks it needs, and is given; None is all of them, () none.

    Args:
        network: has the encoder as its attribute `encoder`.
        optimizer: makes the optimiser from parameter groups.
        schedule: makes a learning rate schedule, stepped every training step; None keeps the rate.
        measures: what is logged, by its full name, beside `SPLIT/loss`. All of it is torchmetrics: they alone are
            right over ranks, and those of the running epoch can be saved in its middle.
    """

    masked: Sequence[int] | None = ()

    def __init__(
        self,
        network: nn.Module,
        optimizer: MakeOptimizer,
        schedule: MakeSchedule | None,
        measures: Mapping[str, Metric] = MappingProxyType({}),
    ) -> None:
        super().__init__()
        self.network = network
        self.make_optimizer, self.make_schedule = optimizer, schedule
        self.measures = nn.ModuleDict({**{f"{split}/loss": Mean() for split in SPLITS}, **measures})
        self.seen = SampleCounter()
        # Of the newest training step: the loss, and its parts by name; scalars without gradient.
        self.last_losses: dict[str, Tensor] = {}
        # What a test leaves for the summary beside its metrics: how many clips it measured, which a limit makes fewer
        # than there are. Confusions: counts, rows true, columns predicted.
        self.tested: dict[str, Any] = {"tested_clips": None, "confusion": None, "video_confusion": None}

    @abstractmethod
    def evaluate(self, batch: ClipBatch, split: str) -> None:
        """Measure a batch, in which every sample counts, of validation or test."""

    @property
    def encoder(self) -> Encoder:
        """The part that all tasks share."""
        encoder = self.network.encoder
        assert isinstance(encoder, Encoder)
        return encoder

    def inputs(self, batch: ClipBatch) -> tuple[Tensor, Tensor]:
        """Clips `B 3 T H W` in [-1, 1] and masks `B M H W`, both float, from what came over the wire."""
        return centred(batch.frames), batch.masks.float()

    def measure(self, name: str) -> Metric:
        """What is logged under this name."""
        metric = self.measures[name]
        assert isinstance(metric, Metric)
        return metric

    def log_measure(self, name: str, *new: Any, bar: bool = False) -> None:
        """Add to what is logged under this name, for the whole epoch.

        Args:
            new: what the metric's `update` takes; a mean takes a scalar and of how many samples it is the mean.
            bar: show it in the progress bar.
        """
        metric = self.measure(name)
        metric.update(*new)
        self.log(name, metric, on_step=False, on_epoch=True, prog_bar=bar)

    def validation_step(self, batch: ClipBatch, index: int) -> None:
        self._evaluate(batch, "val")

    def test_step(self, batch: ClipBatch, index: int) -> None:
        self._evaluate(batch, "test")

    def _evaluate(self, batch: ClipBatch, split: str) -> None:
        batch = batch.without_padding()
        if len(batch.sample):
            self.seen.update(batch.sample)
            self.evaluate(batch, split)

    def on_validation_epoch_start(self) -> None:
        self.seen.reset()

    def on_test_epoch_start(self) -> None:
        self.seen.reset()

    def on_validation_epoch_end(self) -> None:
        trainer = self.trainer
        if trainer.sanity_checking:
            self._check_seen("val", trainer.num_sanity_val_batches)
        else:
            self._check_seen("val", trainer.num_val_batches, trainer.limit_val_batches)

    def on_test_epoch_end(self) -> None:
        self._check_seen("test", self.trainer.num_test_batches, self.trainer.limit_test_batches)
        self.tested["tested_clips"] = int(self.seen.compute().sum())

    def _check_seen(self, split: str, batches: Iterable[float], limit: float = 0) -> None:
        data = getattr(self.trainer, "datamodule", None)  # Lightning sets it without declaring it
        if isinstance(data, SizedEvaluation):
            whole = isinstance(limit, float) and limit == 1  # 1 is a number of batches, 1.0 all of them
            self.seen.check(split, data.evaluated(split, None if whole else int(sum(batches))))

    def on_train_epoch_start(self) -> None:
        # Not called where an epoch goes on from its middle: then they hold what came with the checkpoint.
        for metric in self._of_training().values():
            metric.reset()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint[EPOCH] = states_of_ranks(self._of_training())

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        trainer = self._trainer
        if trainer is not None and trainer.state.fn == TrainerFn.FITTING:
            restore_states(self._of_training(), checkpoint.get(EPOCH, {}), trainer.global_rank, trainer.world_size)

    def _of_training(self) -> dict[str, Metric]:
        return {name: self.measure(name) for name in self.measures if name.startswith("train/")}

    def groups(self) -> list[dict[str, Any]]:
        """The parameter groups of the optimiser."""
        return parameter_groups(self.network)

    def configure_optimizers(self) -> Any:
        optimizer = self.make_optimizer(self.groups())
        if self.make_schedule is None:
            return optimizer
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": self.make_schedule(optimizer), "interval": "step"},
        }


class PretrainingTask(Task):
    """A task that learns by reconstruction: its pictures can be looked at.

    Args:
        network, optimizer, schedule: see `Task`.
        parts: names of what `terms` gives beside the loss.
    """

    def __init__(
        self,
        network: nn.Module,
        optimizer: MakeOptimizer,
        schedule: MakeSchedule | None,
        parts: Iterable[str] = (),
        measures: Mapping[str, Metric] = MappingProxyType({}),
    ) -> None:
        means = {f"{split}/{part}": Mean() for part in parts for split in SPLITS}
        super().__init__(network, optimizer, schedule, {**means, **measures})

    @abstractmethod
    def pictures(self, batch: ClipBatch) -> Pictures:
        """Reconstructions of a batch beside the truth, without gradient."""

    @abstractmethod
    def terms(self, batch: ClipBatch) -> dict[str, Tensor]:
        """The loss as `loss`, and its parts by name."""

    def total_loss(self, terms: dict[str, Tensor]) -> Tensor:
        """What the optimiser minimises, of a batch's terms."""
        return terms["loss"]

    def strip(self, batch: ClipBatch) -> Pictures | None:
        """A foreground in all frames of its clip, without gradient; None where the task does not learn them."""
        return None

    def training_step(self, batch: ClipBatch, index: int) -> Tensor:
        terms = self.terms(batch)
        self.last_losses = {name: value.detach() for name, value in terms.items()}
        self.log_terms("train", terms, len(batch.sample))
        return self.total_loss(terms)

    def evaluate(self, batch: ClipBatch, split: str) -> None:
        self.log_terms(split, self.terms(batch), len(batch.sample))

    def log_terms(self, split: str, terms: Mapping[str, Tensor], samples: int) -> None:
        """Log the loss and its parts, means over so many samples."""
        for name, value in terms.items():
            self.log_measure(f"{split}/{name}", value, samples, bar=name == "loss")


def parameter_groups(network: nn.Module) -> list[dict[str, Any]]:
    """Two groups: the norms' parameters without weight decay, all others with the optimiser's own rate.

    Plain Adam adds the decay to the gradient, as the paper does.
    """
    norms = {
        id(parameter) for layer in network.modules() if isinstance(layer, NORMS) for parameter in layer.parameters()
    }
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    decayed = [parameter for parameter in trained if id(parameter) not in norms]
    others = [parameter for parameter in trained if id(parameter) in norms]
    groups: list[dict[str, Any]] = [{"params": decayed}]
    return [*groups, {"params": others, "weight_decay": 0.0}] if others else groups


def stacked(frames: Iterable[Tensor]) -> Tensor:
    """Frames `B 3 H W`, N of them, to `B N 3 H W`."""
    return torch.stack(list(frames), dim=1)
