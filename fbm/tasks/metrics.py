"""Metrics that torchmetrics lacks: means that keep nan, means over some frames, video accuracy, a sample counter."""

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat


class Mean(Metric):
    """Mean over samples of a value given as means over batches; nan if a batch is nan.

    That of torchmetrics either removes nan, which synchronises a GPU in every step, or ignores the weights.
    """

    full_state_update = False

    total: Tensor
    samples: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", default=torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("samples", default=torch.tensor(0), dist_reduce_fx="sum")

    def update(self, value: Tensor, samples: int) -> None:
        """Add the mean of so many samples, a scalar."""
        # Not in place: a state that `trainer.validate` has reset, in inference mode, cannot be changed in training.
        self.total = self.total + value.detach().to(self.total.dtype) * samples
        self.samples = self.samples + samples

    def compute(self) -> Tensor:
        """A scalar."""
        return self.total / self.samples


class FrameMean(Mean):
    """Mean of a value over the frames that count; nan if none does, or if one that counts is nan."""

    def update(self, values: Tensor, counted: Tensor) -> None:  # type: ignore[override]
        """Add frames: values `B`, and which of them count, `B` bool."""
        # Not a product with `counted`: a frame that does not count may be infinite (dB of a perfect grey).
        self.total = self.total + torch.where(counted, values, 0).sum().to(self.total.dtype)
        self.samples = self.samples + counted.sum()


class SampleCounter(Metric):
    """Which samples of a split were evaluated, by their numbers."""

    full_state_update = False

    numbers: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("numbers", default=[], dist_reduce_fx="cat")

    def update(self, numbers: Tensor) -> None:
        """Add the samples of a batch, `B` int64."""
        self.numbers.append(numbers)

    def compute(self) -> Tensor:
        """How often each sample was evaluated, int64, up to the highest number."""
        if not len(self.numbers):  # a list on one rank, a tensor after gathering from all
            return torch.zeros(0, dtype=torch.int64)
        return torch.bincount(dim_zero_cat(self.numbers).cpu())

    def check(self, split: str, samples: int) -> None:
        """Check that each of the first `samples` samples of a split, and no other, was evaluated once.

        Raises:
            RuntimeError: otherwise; the metrics would be wrong.
        """
        times = self.compute().reshape(-1)  # torchmetrics turns a single number into a scalar
        times = torch.cat([times, times.new_zeros(max(0, samples - len(times)))])
        expected = (torch.arange(len(times)) < samples).long()
        wrong = (times != expected).nonzero().flatten().tolist()
        if wrong:
            examples = ", ".join(f"sample {number} {int(times[number])} times" for number in wrong[:5])
            raise RuntimeError(
                f"{split}: {int(times.sum())} clips were measured, expected {samples}, each once; {examples}"
            )


class VideoAccuracy(Metric):
    """Share of videos whose label has the highest mean probability over the video's clips (top-1)."""

    full_state_update = False
    higher_is_better: bool | None = True

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
        predicted, labels = self.votes()
        return (predicted == labels).float().mean()

    def votes(self) -> tuple[Tensor, Tensor]:
        """Predicted and true class of every video, both `videos` int64."""
        probabilities = dim_zero_cat(self.probabilities)
        _, video, clips = torch.unique(dim_zero_cat(self.videos), return_inverse=True, return_counts=True)
        sums = probabilities.new_zeros(len(clips), probabilities.shape[1]).index_add_(0, video, probabilities)
        labels = torch.zeros_like(clips).index_copy_(0, video, dim_zero_cat(self.labels))
        return sums.argmax(1), labels


class Votes(VideoAccuracy):
    """What each video was taken for, by its mean probabilities."""

    higher_is_better = None

    def compute(self) -> Tensor:
        """`videos 3` int64: number, true and predicted class of each video, ascending in the number."""
        predicted, labels = self.votes()
        return torch.stack([torch.unique(dim_zero_cat(self.videos)), labels, predicted], dim=1)
