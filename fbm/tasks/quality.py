"""How good reconstructed frames are. They are `B 3 H W` float in [-1, 1]."""

import torch
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure
from torchmetrics.image import PeakSignalNoiseRatio

from fbm.models.disentangler import Reconstruction, foreground_shown
from fbm.tasks.metrics import Mean

DATA_RANGE = 2.0  # frames are in [-1, 1]
SSIM_WINDOW = 7  # pixels, evenly weighted; the customary 11 x 11 Gaussian would take a fifth of a validation step


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


class Edges(Metric):
    """How much of the truth's sharpness a reconstruction has: the sum of its gradients over that of the truth's.

    Below 1 it is blurred, above it has edges or grain that the truth has not. It says nothing of where they are.
    """

    full_state_update = False

    made: Tensor
    true: Tensor

    def __init__(self) -> None:
        super().__init__()
        for state in ("made", "true"):
            self.add_state(state, default=torch.tensor(0.0, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, predicted: Tensor, true: Tensor) -> None:
        """Add frames `B 3 H W` in [-1, 1]."""
        self.made += gradients(predicted).sum()
        self.true += gradients(true).sum()

    def compute(self) -> Tensor:
        """A scalar of at least 0; nan where the truth is even grey."""
        return self.made / self.true


class ReconstructionQuality(nn.Module):
    """Measures of the three pictures.

    `psnr_PICTURE`: dB, of each frame, averaged. `ssim_PICTURE`: at most 1, see `ssim`.
    `sharpness_PICTURE`: dB, see `sharpness_difference`. `edges_PICTURE`: 1 is as sharp as the truth, see `Edges`.
    PICTURE is a field of `Reconstruction`; the masked-out grey counts too, in the truth and in the reconstruction.
    `iou_first_foreground`, `iou_last_foreground`: see `ForegroundIoU`.
    """

    def __init__(self) -> None:
        super().__init__()
        made: dict[str, Metric] = {}
        for picture in Reconstruction._fields:
            made[f"psnr_{picture}"] = PeakSignalNoiseRatio(DATA_RANGE, reduction="elementwise_mean", dim=(1, 2, 3))
            made[f"ssim_{picture}"] = Mean()
            made[f"sharpness_{picture}"] = Mean()
            made[f"edges_{picture}"] = Edges()
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
            named[f"sharpness_{picture}"].update(sharpness_difference(made.float(), wanted).mean(), len(made))
            named[f"edges_{picture}"].update(made.float(), wanted)
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


def psnr(predicted: Tensor, true: Tensor) -> Tensor:
    """Of each frame `B 3 H W` in [-1, 1], in dB: `B`."""
    value = peak_signal_noise_ratio(predicted, true, DATA_RANGE, reduction="none", dim=(1, 2, 3))
    assert isinstance(value, Tensor)
    return value


def gradients(frames: Tensor) -> Tensor:
    """|horizontal| + |vertical| difference of every pixel to its neighbours, of frames `B C H W`: `B C H-1 W-1`."""
    corner = frames[..., 1:, 1:]
    return (corner - frames[..., 1:, :-1]).abs() + (corner - frames[..., :-1, 1:]).abs()


def sharpness_difference(predicted: Tensor, true: Tensor) -> Tensor:
    """How well the gradients of frames `B 3 H W` in [-1, 1] agree, in dB, higher is better: `B`.

    The measure of Mathieu et al. (2016), section 4.1: PSNR's formula, with the mean absolute difference of gradients in
    place of the mean squared error of the pixels.
    """
    error = (gradients(predicted) - gradients(true)).abs().mean((1, 2, 3))
    return 10 * torch.log10(DATA_RANGE**2 / error.clamp(min=1e-8))
