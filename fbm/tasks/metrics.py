"""Accuracy over videos, which torchmetrics does not have: it needs to know which clips belong together."""

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat


class VideoAccuracy(Metric):
    """Share of videos whose label has the highest mean probability over the video's clips."""

    full_state_update = False
    higher_is_better = True

    probabilities: list[Tensor]
    labels: list[Tensor]
    videos: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        for state in ("probabilities", "labels", "videos"):
            self.add_state(state, default=[], dist_reduce_fx="cat")

    def update(self, probabilities: Tensor, labels: Tensor, videos: Tensor) -> None:
        """Add clips: probabilities `B classes`, labels `B`, videos `B` (which video each is from)."""
        self.probabilities.append(probabilities)
        self.labels.append(labels)
        self.videos.append(videos)

    def compute(self) -> Tensor:
        """A scalar in [0, 1]."""
        probabilities = dim_zero_cat(self.probabilities)
        _, video, clips = torch.unique(dim_zero_cat(self.videos), return_inverse=True, return_counts=True)
        sums = probabilities.new_zeros(len(clips), probabilities.shape[1]).index_add_(0, video, probabilities)
        labels = torch.zeros_like(clips).index_copy_(0, video, dim_zero_cat(self.labels))
        return (sums.argmax(1) == labels).float().mean()
