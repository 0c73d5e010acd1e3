"""Ours with a contrastive loss: the parts of two windows of a video are alike, besides being reconstructed from."""

from typing import Any

import torch
from torch import Tensor

from fbm.data.batch import ClipBatch, Windows
from fbm.models.contrastive import Embedded, ProjectionHead
from fbm.models.disentangler import Features
from fbm.models.encoder import Encoder
from fbm.tasks.contrast import embedded, nt_xent_of_ranks, split_metrics
from fbm.tasks.disentangle import Disentangle
from fbm.tasks.optimizers import parameter_groups
from fbm.tasks.task import MakeOptimizer, MakeSchedule


class ContrastiveDisentangle(Disentangle):
    """Minimises L_total, equation (7), over two windows of each video, plus NT-Xent between the features of both.

    All three parts go into the projection head, so the loss does not say which of them holds what the windows share.
    Logs what `Disentangle` does, and `SPLIT/contrast` and `SPLIT/top1` as `Contrast` does. `val/loss` and `test/loss`
    are L_total alone: NT-Xent of a batch depends on how many clips it has, and is measured over the whole split.

    Args:
        encoder, optimizer, schedule: see `Task`.
        contrast: weight of NT-Xent.
        temperature: of the similarities.
        dim, hidden: see `ProjectionHead`.
        options: see `Disentangle`; `target` must be the last frame.

    Raises:
        ValueError: an argument is out of range, or the network cannot be made.
    """

    windows = Windows(2)

    def __init__(
        self,
        encoder: Encoder,
        optimizer: MakeOptimizer,
        schedule: MakeSchedule | None = None,
        contrast: float = 1.0,
        temperature: float = 0.1,
        dim: int = 128,
        hidden: int | None = None,
        **options: Any,
    ) -> None:
        if contrast <= 0 or temperature <= 0:
            raise ValueError(f"contrast={contrast} and temperature={temperature} must be above 0")
        if options.get("target", "last") != "last":
            raise ValueError(f"target={options['target']}: with a contrastive loss only target=last is possible")
        super().__init__(encoder, optimizer, schedule, **options)
        self.contrast, self.temperature = contrast, temperature
        self.head = ProjectionHead(encoder.feature_shape[0], dim, hidden)
        self.metrics.update(split_metrics("contrast", temperature))

    def loss_terms(self, batch: ClipBatch) -> dict[str, Tensor]:
        clip, masks = self.inputs(batch)
        terms, out = self._losses(clip, masks)
        own = self.embedded(out.features, batch)
        terms["contrast"], terms["top1"] = nt_xent_of_ranks(own, self.windows.clips, self.temperature)
        terms["loss"] = terms["loss"] + self.contrast * terms["contrast"]
        return terms

    def evaluate(self, batch: ClipBatch, split: str) -> None:
        own = self.embedded(self.measured(batch, split).features, batch)
        for name in ("contrast", "top1"):
            self.log_metric(f"{split}/{name}", own)

    def embedded(self, features: Features, batch: ClipBatch) -> Embedded:
        """The embeddings of a batch's clips, 2B of them."""
        return embedded(self.head(torch.cat(features, 1)), batch)

    def param_groups(self) -> list[dict[str, Any]]:
        return [*super().param_groups(), *parameter_groups(self.head)]
