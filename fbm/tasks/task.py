"""Base classes of the tasks: an encoder in a network, an optimiser with the paper's weight decay, and logging."""

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

from fbm.data.batch import ClipBatch, SizedEvaluation, Windows
from fbm.models.encoder import Encoder
from fbm.models.layers import middle, to_input
from fbm.tasks.augmentation import Augmentation
from fbm.tasks.metric_state import means_saved, restore_states, states_of_ranks
from fbm.tasks.metrics import Mean, SampleCounter
from fbm.tasks.optimizers import parameter_groups

MakeOptimizer = Callable[[Iterable[dict[str, Any]]], Optimizer]
MakeSchedule = Callable[[Optimizer], LRScheduler]

EPOCH = "fbm_epoch"  # in checkpoints: states of the training metrics of an unfinished epoch


class Pictures(NamedTuple):
    """Frames to draw side by side: N titles, and `B N 3 H W` float in [-1, 1] reconstructed and true."""

    titles: tuple[str, ...]
    reconstructed: Tensor
    true: Tensor


class Task(pl.LightningModule, ABC):
    """A network around the encoder that all tasks share.

    Attributes:
        mask_frames: indices of the frames of a clip whose masks the task needs; None is all of them, () none.
        windows: several clips of its video in each sample; None is one, of the sample's chunk.
        augmentation: of the clips of training steps; None leaves them as they are. Set when the run is built.

    Args:
        network: has the encoder as its attribute `encoder`; checkpoints hold its weights as `network.encoder.*`.
        optimizer: makes the optimiser from parameter groups.
        schedule: makes a learning rate schedule, stepped every training step; None keeps the rate.
        metrics: by the full name under which they are logged, beside means, which need no declaration. All are
            torchmetrics: only these are exact over ranks, and can be saved in the middle of an epoch.

    Raises:
        ValueError: the network has no encoder.
    """

    mask_frames: Sequence[int] | None = ()
    windows: Windows | None = None
    augmentation: Augmentation | None = None

    def __init__(
        self,
        network: nn.Module,
        optimizer: MakeOptimizer,
        schedule: MakeSchedule | None = None,
        metrics: Mapping[str, Metric] = MappingProxyType({}),
    ) -> None:
        super().__init__()
        if not isinstance(getattr(network, "encoder", None), Encoder):
            raise ValueError(
                f"{type(self).__name__}: its network, {type(network).__name__}, must hold the encoder as `encoder`"
            )
        self.network = network
        self.make_optimizer = optimizer
        self.make_schedule = schedule
        self.metrics = nn.ModuleDict({"train/loss": Mean(), "val/loss": Mean(), "test/loss": Mean(), **metrics})
        self.sample_counter = SampleCounter()
        # Of the newest training step: the loss and its terms by name; scalars without gradient.
        self.last_losses: dict[str, Tensor] = {}
        # Results of a test for the summary beside its metrics: the number of clips, which a limit makes fewer than
        # there are, and confusion matrices of counts, rows true, columns predicted.
        self.test_artifacts: dict[str, Any] = {"tested_clips": None, "confusion": None, "video_confusion": None}
        # By the name of a test accuracy: whether each clip or video, by its number in the split, was right.
        self.test_outcomes: dict[str, dict[int, bool]] = {}

    @abstractmethod
    def evaluate(self, batch: ClipBatch, split: str) -> None:
        """Log metrics of a validation or test batch; it holds no padding."""

    @property
    def encoder(self) -> Encoder:
        """The encoder, which all tasks share."""
        encoder = self.network.encoder
        assert isinstance(encoder, Encoder)
        return encoder

    def inputs(self, batch: ClipBatch) -> tuple[Tensor, Tensor]:
        """Clips `B 3 T H W` in [-1, 1] and masks `B M H W` of `mask_frames`, 1 = foreground, both float.

        In training they are augmented; otherwise they are the middle of frames larger than the encoder's. With
        `windows` there are N times as many of both, a sample's together.
        """
        frames, masks, drawn = batch.frames, batch.masks.float(), batch.sample
        if self.windows is not None:
            count = self.windows.clips
            frames, masks = frames.flatten(0, 1), masks.flatten(0, 1)
            # Clips that are anywhere in a video are augmented each in its own way, those in order all in the same.
            view = torch.arange(count, device=drawn.device) * int(self.windows.interval is None)
            drawn = (drawn[:, None] * count + view).flatten()
        size = self.encoder.size
        if self.training and self.augmentation is not None:
            return self.augmentation(to_input(frames), masks, size, self.current_epoch, drawn)
        return to_input(frames, size), middle(masks, size)

    def metric(self, name: str) -> Metric:
        """The metric that is logged under this name."""
        metric = self.metrics[name]
        assert isinstance(metric, Metric)
        return metric

    def log_metric(self, name: str, *values: Any, bar: bool = False) -> None:
        """Update a metric and log it at the end of the epoch.

        Args:
            name: of a declared metric; any other name becomes a mean over samples.
            values: arguments of the metric's `update`; a mean takes a scalar and the number of samples it is of.
            bar: show it in the progress bar.
        """
        self._declare_mean(name)
        metric = self.metric(name)
        metric.update(*values)
        # The attribute is named: Lightning looks for metrics once, before the means that are added later.
        self.log(name, metric, on_step=False, on_epoch=True, prog_bar=bar, metric_attribute=f"metrics.{name}")

    def validation_step(self, batch: ClipBatch, index: int) -> None:
        self._evaluate(batch, "val")

    def test_step(self, batch: ClipBatch, index: int) -> None:
        self._evaluate(batch, "test")

    def _evaluate(self, batch: ClipBatch, split: str) -> None:
        batch = batch.without_padding()
        if len(batch.sample):
            self.sample_counter.update(batch.sample)
            self.evaluate(batch, split)

    def on_validation_epoch_start(self) -> None:
        self.sample_counter.reset()

    def on_test_epoch_start(self) -> None:
        self.sample_counter.reset()

    def on_validation_epoch_end(self) -> None:
        trainer = self.trainer
        if trainer.sanity_checking:
            self._check_seen("val", trainer.num_sanity_val_batches)
        else:
            self._check_seen("val", trainer.num_val_batches, trainer.limit_val_batches)

    def on_test_epoch_end(self) -> None:
        self._check_seen("test", self.trainer.num_test_batches, self.trainer.limit_test_batches)
        self.test_artifacts["tested_clips"] = int(self.sample_counter.compute().sum())

    def _check_seen(self, split: str, batches: Iterable[float], limit: float = 0) -> None:
        data = getattr(self.trainer, "datamodule", None)  # Lightning sets it without declaring it
        if isinstance(data, SizedEvaluation):
            whole = isinstance(limit, float) and limit == 1  # 1 is a number of batches, 1.0 all of them
            self.sample_counter.check(split, data.evaluated(split, None if whole else int(sum(batches))))

    def on_train_epoch_start(self) -> None:
        # Not called when an epoch is resumed in its middle: the metrics then hold the checkpoint's states.
        for metric in self._train_metrics().values():
            metric.reset()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint[EPOCH] = states_of_ranks(self._train_metrics())

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        trainer = self._trainer
        if trainer is not None and trainer.state.fn == TrainerFn.FITTING:
            states = checkpoint.get(EPOCH, {})
            for name in means_saved(states):
                self._declare_mean(name)
            restore_states(self._train_metrics(), states, trainer.global_rank, trainer.world_size)

    def _declare_mean(self, name: str) -> None:
        """A mean over samples under this name, unless a metric has it."""
        if name not in self.metrics:
            self.metrics[name] = Mean().to(self.device)

    def _train_metrics(self) -> dict[str, Metric]:
        return {name: self.metric(name) for name in self.metrics if name.startswith("train/")}

    def param_groups(self) -> list[dict[str, Any]]:
        """Parameter groups of the optimiser."""
        return parameter_groups(self.network)

    def configure_optimizers(self) -> Any:
        optimizer = self.make_optimizer(self.param_groups())
        if self.make_schedule is None:
            return optimizer
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": self.make_schedule(optimizer), "interval": "step"},
        }


class PretrainingTask(Task):
    """A task that learns without labels: `loss_terms` is all that one of these must define.

    `loss` is minimised (see `total_loss`) and logged for every split as `SPLIT/loss`; so is every other term.
    """

    @abstractmethod
    def loss_terms(self, batch: ClipBatch) -> dict[str, Tensor]:
        """The loss as `loss`, and any terms of it by name: scalars."""

    def total_loss(self, terms: dict[str, Tensor]) -> Tensor:
        """The scalar that the optimiser minimises, from a batch's terms."""
        return terms["loss"]

    def visualize(self, batch: ClipBatch) -> Pictures | None:
        """Reconstructions of a batch beside the truth for the gallery, without gradient; None draws nothing."""
        return None

    def frame_strip(self, batch: ClipBatch) -> Pictures | None:
        """Foregrounds in all frames of their clips, without gradient; None where the task does not learn them."""
        return None

    def training_step(self, batch: ClipBatch, index: int) -> Tensor:
        terms = self.loss_terms(batch)
        self.last_losses = {name: value.detach() for name, value in terms.items()}
        self.log_terms("train", terms, len(batch.sample))
        return self.total_loss(terms)

    def evaluate(self, batch: ClipBatch, split: str) -> None:
        self.log_terms(split, self.loss_terms(batch), len(batch.sample))

    def log_terms(self, split: str, terms: Mapping[str, Tensor], samples: int) -> None:
        """Log the loss and its terms, means over so many samples."""
        for name, value in terms.items():
            self.log_metric(f"{split}/{name}", value, samples, bar=name == "loss")


def stacked(frames: Iterable[Tensor]) -> Tensor:
    """Frames `B 3 H W`, N of them, to `B N 3 H W`."""
    return torch.stack(list(frames), dim=1)
