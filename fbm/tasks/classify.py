"""Action recognition from any initialisation of the encoder (section 5)."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.classification import MulticlassAccuracy
from torchmetrics.functional.classification import multiclass_confusion_matrix

from fbm.data.batch import ClipBatch
from fbm.models.classifier import Classifier
from fbm.models.encoder import Encoder
from fbm.models.layers import to_input
from fbm.tasks.metrics import VideoAccuracy, Votes
from fbm.tasks.optimizers import parameter_groups
from fbm.tasks.task import MakeOptimizer, MakeSchedule, Task
from fbm.tasks.views import crops as crops_of


class Classify(Task):
    """Softmax cross entropy on all features.

    Logs `SPLIT/clip_top1` (of the middle `data.clip_frames` of each chunk) and `SPLIT/video_top1` (mean
    softmax over a video's clips) for val and test, `train/top1` over the random windows of training. A test puts its
    confusion matrices into `test_artifacts`, and which clips and videos are right into `test_outcomes`.

    Args:
        encoder, optimizer, schedule: see `Task`.
        classes: names in label order.
        encoder_gradient: factor on the encoder's gradient; 0 freezes it. With Adam it does not act as a learning rate,
            see `Classifier`.
        crops: of each test clip, whose mean softmax is the clip's: the middle, or 3 side by side (`fbm.tasks.views`) of
            frames larger than the encoder's.
        encoder_lr: learning rate of the encoder; None takes the optimiser's. The schedule is shared.

    Raises:
        ValueError: `crops` is neither 1 nor 3, `encoder_lr` is not above 0, or the encoder is frozen.
    """

    def __init__(
        self,
        encoder: Encoder,
        optimizer: MakeOptimizer,
        classes: Sequence[str],
        schedule: MakeSchedule | None = None,
        encoder_gradient: float = 1.0,
        encoder_lr: float | None = None,
        crops: int = 1,
    ) -> None:
        if crops not in (1, 3):
            raise ValueError(f"test_views.crops={crops} should be 1 or 3")
        if encoder_lr is not None and (encoder_lr <= 0 or encoder_gradient == 0):
            raise ValueError(f"encoder_lr={encoder_lr} must be above 0, and encoder_gradient=0 leaves nothing to learn")
        network = Classifier(encoder, len(classes), encoder_gradient)
        metrics: dict[str, Metric] = {"train/top1": _accuracy(classes)}
        for split in ("val", "test"):
            metrics |= {f"{split}/clip_top1": _accuracy(classes), f"{split}/video_top1": VideoAccuracy()}
        super().__init__(network, optimizer, schedule, metrics)
        self.network: Classifier
        self.test_clip_votes, self.test_video_votes = Votes(), Votes()
        self.classes = list(classes)
        self.encoder_lr = encoder_lr
        self.crops = crops

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
        several = split == "test" and self.crops > 1
        logits = self._logits_of_crops(batch) if several else self.network(self.inputs(batch)[0])
        self.log_metric(f"{split}/loss", F.cross_entropy(logits, batch.label), len(logits))
        self.log_metric(f"{split}/clip_top1", logits, batch.label, bar=split == "val")
        self.log_metric(f"{split}/video_top1", logits.softmax(1), batch.label, batch.video)
        if split == "test":
            self.test_clip_votes.update(logits.softmax(1), batch.label, batch.sample)
            self.test_video_votes.update(logits.softmax(1), batch.label, batch.video)

    def _logits_of_crops(self, batch: ClipBatch) -> Tensor:
        """Logits `B classes` whose softmax is the mean over the crops of each clip."""
        views = crops_of(to_input(batch.frames), self.encoder.size, self.crops)
        return torch.stack([self.network(view).log_softmax(1) for view in views]).logsumexp(0)

    def on_test_epoch_end(self) -> None:
        super().on_test_epoch_end()
        confusions = {}
        for level, metric in (("clip", self.test_clip_votes), ("video", self.test_video_votes)):
            numbers, true, predicted = metric.compute().cpu().unbind(1)
            metric.reset()  # Lightning resets only logged metrics
            confusions[level] = multiclass_confusion_matrix(predicted, true, len(self.classes)).tolist()
            right = (true == predicted).tolist()
            self.test_outcomes[f"test/{level}_top1"] = dict(zip(numbers.tolist(), right, strict=True))
        self.test_artifacts |= {"confusion": confusions["clip"], "video_confusion": confusions["video"]}


def _accuracy(classes: Sequence[str]) -> MulticlassAccuracy:
    # By default torchmetrics averages over classes, and validates all labels in every step.
    return MulticlassAccuracy(len(classes), average="micro", validate_args=False)
