"""Action recognition from any initialisation of the encoder (section 5)."""

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.classification import MulticlassAccuracy, MulticlassConfusionMatrix

from fbm.batch import ClipBatch
from fbm.models.classifier import Classifier
from fbm.models.encoder import C3DEncoder
from fbm.tasks.metrics import VideoAccuracy, VideoConfusion
from fbm.tasks.task import MakeOptimizer, MakeSchedule, Task


class Classify(Task):
    """Softmax cross entropy on all features.

    Logs `SPLIT/clip_top1` (the paper's: the middle 16 frames of each 32-frame chunk) and `SPLIT/video_top1` (mean
    softmax over a video's clips) for val and test, `train/top1` over the random windows of training. A test leaves its
    confusions in `tested`.

    Args:
        encoder, optimizer, schedule: see `Task`.
        classes: names in label order.
        encoder_gradient: factor on the encoder's gradient; 0 freezes it.
    """

    needs_masks = False

    def __init__(
        self,
        encoder: C3DEncoder,
        optimizer: MakeOptimizer,
        classes: Sequence[str],
        schedule: MakeSchedule | None = None,
        encoder_gradient: float = 1.0,
    ) -> None:
        super().__init__(Classifier(encoder, len(classes), encoder_gradient), optimizer, schedule)
        self.train_top1 = _accuracy(classes)
        self.val_clip_top1, self.val_video_top1 = _accuracy(classes), VideoAccuracy()
        self.test_clip_top1, self.test_video_top1 = _accuracy(classes), VideoAccuracy()
        self.test_clip_confusion, self.test_video_confusion = MulticlassConfusionMatrix(len(classes)), VideoConfusion()
        self.classes = list(classes)

    def training_step(self, batch: ClipBatch, index: int) -> Tensor:
        logits = self.network(self.inputs(batch)[0])
        loss = F.cross_entropy(logits, batch.label)
        self.train_top1(logits, batch.label)
        self.log_mean("train/loss", loss.detach(), len(logits), bar=True)
        self.log("train/top1", self.train_top1, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: ClipBatch, index: int) -> None:
        self._evaluate(batch, "val", self.val_clip_top1, self.val_video_top1)

    def test_step(self, batch: ClipBatch, index: int) -> None:
        logits = self._evaluate(batch, "test", self.test_clip_top1, self.test_video_top1)
        self.test_clip_confusion.update(logits, batch.label)
        self.test_video_confusion.update(logits.softmax(1), batch.label, batch.video)

    def on_test_epoch_end(self) -> None:
        self.tested = {
            "confusion": _counts(self.test_clip_confusion),
            "video_confusion": _counts(self.test_video_confusion),
        }

    def _evaluate(self, batch: ClipBatch, split: str, clips: Metric, videos: Metric) -> Tensor:
        logits: Tensor = self.network(self.inputs(batch)[0])
        clips.update(logits, batch.label)
        videos.update(logits.softmax(1), batch.label, batch.video)
        self.log_mean(f"{split}/loss", F.cross_entropy(logits, batch.label), len(logits))
        self.log(f"{split}/clip_top1", clips, prog_bar=split == "val")
        self.log(f"{split}/video_top1", videos)
        return logits


def _accuracy(classes: Sequence[str]) -> MulticlassAccuracy:
    return MulticlassAccuracy(len(classes), average="micro")  # torchmetrics' own default averages over classes


def _counts(confusion: Metric) -> Any:
    """A confusion as lists of plain numbers; it begins anew, which Lightning does for what is logged alone."""
    counts = confusion.compute().tolist()
    confusion.reset()
    return counts
