"""What torchmetrics does not have: means that keep nan, means over some frames, votes over videos, what was seen."""

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.functional.classification import multiclass_confusion_matrix
from torchmetrics.utilities import dim_zero_cat


class Mean(Metric):
    """The mean over samples of a value that comes as means of batches; nan where a batch was nan.

    torchmetrics' own either removes nan, after a look that stops a GPU in every step, or forgets the weights.
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
        # Not in place: what `trainer.validate` has reset, in inference mode, could not be added to while training.
        self.total = self.total + value.detach().to(self.total.dtype) * samples
        self.samples = self.samples + samples

    def compute(self) -> Tensor:
        """A scalar."""
        return self.total / self.samples


class FrameMean(Metric):
    """The mean of a value over the frames that count; nan where none does, or where one that counts is nan."""

    full_state_update = False

    total: Tensor
    frames: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", default=torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("frames", default=torch.tensor(0), dist_reduce_fx="sum")

    def update(self, values: Tensor, counted: Tensor) -> None:
        """Add frames: values `B`, and which of them count, `B` bool."""
        # Not a product with `counted`: a frame that does not count may be infinite (dB of a perfect grey).
        self.total = self.total + torch.where(counted, values, 0).sum().to(self.total.dtype)
        self.frames = self.frames + counted.sum()

    def compute(self) -> Tensor:
        """A scalar."""
        return self.total / self.frames


class SampleCounter(Metric):
    """Which samples of a split were measured, by their numbers."""

    full_state_update = False

    numbers: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("numbers", default=[], dist_reduce_fx="cat")

    def update(self, numbers: Tensor) -> None:
        """Add the samples of a batch, `B` int64."""
        self.numbers.append(numbers)

    def compute(self) -> Tensor:
        """How often each was seen, int64, as long as the highest number needs."""
        if not len(self.numbers):  # a list here, one tensor once it was gathered from all ranks
            return torch.zeros(0, dtype=torch.int64)
        return torch.bincount(dim_zero_cat(self.numbers).cpu())

    def check(self, split: str, samples: int) -> None:
        """See that of a split each of the first so many samples, and nothing else, was seen once.

        Raises:
            RuntimeError: that is not so; what was measured would be wrong.
        """
        times = self.compute().reshape(-1)  # torchmetrics makes a scalar of a single number
        times = torch.cat([times, times.new_zeros(max(0, samples - len(times)))])
        wanted = (torch.arange(len(times)) < samples).long()
        wrong = (times != wanted).nonzero().flatten().tolist()
        if wrong:
            told = ", ".join(f"sample {number} {int(times[number])} times" for number in wrong[:5])
            raise RuntimeError(
                f"{split}: {int(times.sum())} clips were measured, {samples} once each should have been; {told}"
            )


class VideoAccuracy(Metric):
    """Share of videos whose label has the highest mean probability over the video's clips."""

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
        """The predicted and the true class of every video, both int64 of shape `videos`."""
        probabilities = dim_zero_cat(self.probabilities)
        _, video, clips = torch.unique(dim_zero_cat(self.videos), return_inverse=True, return_counts=True)
        sums = probabilities.new_zeros(len(clips), probabilities.shape[1]).index_add_(0, video, probabilities)
        labels = torch.zeros_like(clips).index_copy_(0, video, dim_zero_cat(self.labels))
        return sums.argmax(1), labels


class VideoConfusion(VideoAccuracy):
    """How many videos of each class were taken for which one, by their mean probability."""

    higher_is_better = None

    def compute(self) -> Tensor:
        """Counts `C C` int64: rows true, columns predicted."""
        predicted, labels = self.votes()
        counts: Tensor = multiclass_confusion_matrix(predicted, labels, dim_zero_cat(self.probabilities).shape[1])
        return counts
