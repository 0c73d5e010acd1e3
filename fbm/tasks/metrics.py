"""What torchmetrics does not have: means that keep nan, votes over videos, IoU of foregrounds, what was seen."""

import torch
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.functional.classification import multiclass_confusion_matrix
from torchmetrics.functional.image import structural_similarity_index_measure
from torchmetrics.image import PeakSignalNoiseRatio
from torchmetrics.utilities import dim_zero_cat

from fbm.models.disentangler import Reconstruction, foreground_shown

DATA_RANGE = 2.0  # frames are in [-1, 1]
SSIM_WINDOW = 7  # pixels, evenly weighted; the customary 11 x 11 Gaussian would take a fifth of a validation step


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


class Seen(Metric):
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


class ForegroundIoU(Metric):
    """Intersection over union of the reconstructed foreground and the mask, the mean over frames with any mask.

    What counts as foreground in a reconstruction: see `foreground_shown`. It is nan where no frame has a mask.
    """

    full_state_update = False
    higher_is_better = True

    total: Tensor
    frames: Tensor

    def __init__(self) -> None:
        super().__init__()
        for state in ("total", "frames"):
            self.add_state(state, default=torch.tensor(0.0), dist_reduce_fx="sum")

    def update(self, predicted: Tensor, masks: Tensor) -> None:
        """Add reconstructed foregrounds `B 3 H W` in [-1, 1] and their true masks `B H W`, 1 = foreground."""
        shown, true = foreground_shown(predicted), masks > 0
        union = (shown | true).sum((1, 2)).clamp(min=1)
        self.total += ((shown & true).sum((1, 2)) / union).sum()  # an empty mask shares nothing and adds nothing
        self.frames += true.flatten(1).any(1).sum()

    def compute(self) -> Tensor:
        """A scalar in [0, 1]."""
        return self.total / self.frames


class ReconstructionQuality(nn.Module):
    """Three measures of the three pictures.

    `psnr_PICTURE`: dB, of each frame, averaged. `ssim_PICTURE`: at most 1, see `ssim`.
    PICTURE is a field of `Reconstruction`; the masked-out grey counts too, in the truth and in the reconstruction.
    `iou_first_foreground`, `iou_last_foreground`: see `ForegroundIoU`.
    """

    def __init__(self) -> None:
        super().__init__()
        made: dict[str, Metric] = {}
        for picture in Reconstruction._fields:
            made[f"psnr_{picture}"] = PeakSignalNoiseRatio(DATA_RANGE, reduction="elementwise_mean", dim=(1, 2, 3))
            made[f"ssim_{picture}"] = Mean()
        made |= {f"iou_{picture}_foreground": ForegroundIoU() for picture in ("first", "last")}
        self.metrics = nn.ModuleDict(made)

    def named(self) -> dict[str, Metric]:
        """The metrics by the names they are logged under, without the split."""
        return {name: metric for name, metric in self.metrics.items() if isinstance(metric, Metric)}

    @torch.no_grad()
    def update(self, reconstruction: Reconstruction, true: Reconstruction, masks: Tensor) -> None:
        """Add a batch: what was reconstructed, what should have been, and the masks, first to last, `B M H W`."""
        named = self.named()
        for picture, made, wanted in zip(Reconstruction._fields, reconstruction, true, strict=True):
            named[f"psnr_{picture}"].update(made.float(), wanted)
            named[f"ssim_{picture}"].update(ssim(made.float(), wanted), len(made))
        named["iou_first_foreground"].update(reconstruction.first_foreground, masks[:, 0])
        named["iou_last_foreground"].update(reconstruction.last_foreground, masks[:, -1])


def ssim(predicted: Tensor, true: Tensor) -> Tensor:
    """Mean SSIM of frames `B 3 H W` in [-1, 1], over evenly weighted windows of 7 x 7 pixels; a scalar."""
    # Every window lies in one channel of one frame: taken as the channels of a single picture the mean is the same, in
    # half the time.
    one, other = (frames.reshape(1, -1, *frames.shape[2:]) for frames in (predicted, true))
    value = structural_similarity_index_measure(
        one, other, gaussian_kernel=False, kernel_size=SSIM_WINDOW, data_range=DATA_RANGE
    )
    assert isinstance(value, Tensor)  # not the maps, which it gives when asked to
    return value
