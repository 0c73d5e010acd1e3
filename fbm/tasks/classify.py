"""Action recognition from any initialisation of the encoder (section 5)."""

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.classification import MulticlassAccuracy, MulticlassConfusionMatrix

from fbm.data.batch import ClipBatch
from fbm.models.classifier import Classifier
from fbm.models.encoder import Encoder
from fbm.tasks.metrics import VideoAccuracy, VideoConfusion
from fbm.tasks.optimizers import parameter_groups
from fbm.tasks.task import MakeOptimizer, MakeSchedule, Task


class Classify(Task):
    """Softmax cross entropy on all features.

    Logs `SPLIT/clip_top1` (of the middle `data.clip_frames` of each chunk) and `SPLIT/video_top1` (mean
    softmax over a video's clips) for val and test, `train/top1` over the random windows of training. A test puts its
    confusion matrices into `test_artifacts`.

    Args:
        encoder, optimizer, schedule: see `Task`.
        classes: names in label order.
        encoder_gradient: factor on the encoder's gradient; 0 freezes it. With Adam it does not act as a learning rate,
            see `Classifier`.
        encoder_lr: learning rate of the encoder; None takes the optimiser's. The schedule is shared.

    Raises:
        ValueError: `encoder_lr` is not above 0, or the encoder is frozen.
    """

    def __init__(
        self,
        encoder: Encoder,
        optimizer: MakeOptimizer,
        classes: Sequence[str],
        schedule: MakeSchedule | None = None,
        encoder_gradient: float = 1.0,
        encoder_lr: float | None = None,
    ) -> None:
        if encoder_lr is not None and (encoder_lr <= 0 or encoder_gradient == 0):
            raise ValueError(f"encoder_lr={encoder_lr} must be above 0, and encoder_gradient=0 leaves nothing to learn")
        network = Classifier(encoder, len(classes), encoder_gradient)
        metrics: dict[str, Metric] = {"train/top1": _accuracy(classes)}
        for split in ("val", "test"):
            metrics |= {f"{split}/clip_top1": _accuracy(classes), f"{split}/video_top1": VideoAccuracy()}
        super().__init__(network, optimizer, schedule, metrics)
        self.network: Classifier
        self.test_clip_confusion = MulticlassConfusionMatrix(len(classes))
        self.test_video_confusion = VideoConfusion()
        self.classes = list(classes)
        self.encoder_lr = encoder_lr

    def param_groups(self) -> list[dict[str, Any]]:
        if self.encoder_lr is None:
            return super().param_groups()
        encoder = ({**group, "lr": self.encoder_lr} for group in parameter_groups(self.encoder))
        return [*encoder, *parameter_groups(self.network.linear)]

    def training_step(self, batch: ClipBatch, index: int) -> Tensor:
        logits = self.network(self.inputs(batch)[0])
        loss = F.cross_entropy(logits, batch.label)
        self.last_losses = {"loss": loss.detach()}
        self.log_metric("train/loss", loss, len(logits), bar=True)
        self.log_metric("train/top1", logits.detach(), batch.label)
        return loss

    def evaluate(self, batch: ClipBatch, split: str) -> None:
        logits = self.network(self.inputs(batch)[0])
        self.log_metric(f"{split}/loss", F.cross_entropy(logits, batch.label), len(logits))
        self.log_metric(f"{split}/clip_top1", logits, batch.label, bar=split == "val")
        self.log_metric(f"{split}/video_top1", logits.softmax(1), batch.label, batch.video)
        if split == "test":
            self.test_clip_confusion.update(logits, batch.label)
            self.test_video_confusion.update(logits.softmax(1), batch.label, batch.video)

    def on_test_epoch_end(self) -> None:
        super().on_test_epoch_end()
        self.test_artifacts |= {
            "confusion": _counts(self.test_clip_confusion),
            "video_confusion": _counts(self.test_video_confusion),
        }


def _accuracy(classes: Sequence[str]) -> MulticlassAccuracy:
    # By default torchmetrics averages over classes, and validates all labels in every step.
    return MulticlassAccuracy(len(classes), average="micro", validate_args=False)


def _counts(confusion: Metric) -> Any:
    """A confusion matrix as lists of plain numbers, reset afterwards: Lightning resets only logged metrics."""
    counts = confusion.compute().tolist()
    confusion.reset()
    return counts
