"""Quality of reconstructed frames, `B 3 H W` float in [-1, 1].

A foreground with an empty mask has no loss, so no decoder learns it: such frames are not measured.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

from fbm.models.disentangler import Reconstruction, foreground_shown
from fbm.models.layers import without_autocast
from fbm.tasks.metrics import FrameMean

DATA_RANGE = 2.0  # frames are in [-1, 1]
SSIM_WINDOW = 7  # pixels, evenly weighted; the customary 11 x 11 Gaussian would take a fifth of a validation step


class EdgeRatio(Metric):
    """Sharpness of reconstructions relative to the truth: the sum of their gradients over that of the true frames.

    Below 1 they are blurred, above 1 they have edges or grain that the truth lacks. It does not compare where.
    """

    full_state_update = False

    made: Tensor
    true: Tensor

    def __init__(self) -> None:
        super().__init__()
        for state in ("made", "true"):
            self.add_state(state, default=torch.tensor(0.0, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, predicted: Tensor, true: Tensor, counted: Tensor) -> None:
        """Add frames `B 3 H W` in [-1, 1], and which of them count, `B` bool."""
        self.made = self.made + torch.where(counted, gradients(predicted).sum((1, 2, 3)), 0).sum()
        self.true = self.true + torch.where(counted, gradients(true).sum((1, 2, 3)), 0).sum()

    def compute(self) -> Tensor:
        """A scalar of at least 0; nan if no frame counts, or the true frames have no gradient."""
        return self.made / self.true


class ReconstructionQuality(nn.Module):
    """Measures of the three pictures.

    `psnr_PICTURE`: dB, of each frame, averaged. `ssim_PICTURE`: at most 1, see `ssim`.
    `sharpness_PICTURE`: dB, see `sharpness_difference`. `edges_PICTURE`: 1 is as sharp as the truth, see `EdgeRatio`.
    PICTURE is a field of `Reconstruction`; the masked-out grey counts too, in the truth and in the reconstruction.
    A foreground counts where its mask is not empty, a background always, see `frames_with_loss`; a measure of
    foregrounds is nan where no frame counts.
    `iou_first_foreground`, `iou_last_foreground`: see `foreground_iou`.
    """

    def __init__(self) -> None:
        super().__init__()
        made: dict[str, Metric] = {}
        for picture in Reconstruction._fields:
            made[f"psnr_{picture}"] = FrameMean()
            made[f"ssim_{picture}"] = FrameMean()
            made[f"sharpness_{picture}"] = FrameMean()
            made[f"edges_{picture}"] = EdgeRatio()
        made |= {f"iou_{picture}_foreground": FrameMean() for picture in ("first", "last")}
        self.metrics = nn.ModuleDict(made)

    def named(self) -> dict[str, Metric]:
        """The metrics by the names they are logged under, without the split."""
        return {name: metric for name, metric in self.metrics.items() if isinstance(metric, Metric)}

    @torch.no_grad()
    def update(self, reconstruction: Reconstruction, true: Reconstruction, masks: Tensor) -> None:
        """Add a batch: the reconstruction, its target, and the masks, first to last, `B M H W`."""
        named, with_loss = self.named(), frames_with_loss(masks)
        for picture, made, wanted, counted in zip(Reconstruction._fields, reconstruction, true, with_loss, strict=True):
            named[f"psnr_{picture}"].update(psnr(made.float(), wanted), counted)
            named[f"ssim_{picture}"].update(ssim(made.float(), wanted), counted)
            named[f"sharpness_{picture}"].update(sharpness_difference(made.float(), wanted), counted)
            named[f"edges_{picture}"].update(made.float(), wanted, counted)
        first, last = reconstruction.first_foreground, reconstruction.last_foreground
        named["iou_first_foreground"].update(foreground_iou(first, masks[:, 0]), with_loss.first_foreground)
        named["iou_last_foreground"].update(foreground_iou(last, masks[:, -1]), with_loss.last_foreground)


def frames_with_loss(masks: Tensor) -> Reconstruction:
    """Frames of each picture that have a loss, each `B` bool, from the masks, first to last, `B M H W`."""
    shown = masks.flatten(2).any(2)  # B M
    return Reconstruction(shown[:, 0], torch.ones_like(shown[:, 0]), shown[:, -1])


def ssim(predicted: Tensor, true: Tensor) -> Tensor:
    """Mean SSIM of each frame `B 3 H W` in [-1, 1], over evenly weighted windows of 7 x 7 pixels: `B`.

    Computed in float32 also in mixed precision, and without TF32.
    """
    # Every window lies in one channel of one frame: as channels of a single picture the maps are the same, in half the
    # time.
    one, other = (frames.reshape(1, -1, *frames.shape[2:]) for frames in (predicted, true))
    with _exact_convolutions(one.device):
        _, maps = structural_similarity_index_measure(
            one, other, gaussian_kernel=False, kernel_size=SSIM_WINDOW, data_range=DATA_RANGE, return_full_image=True
        )
    return maps.reshape(predicted.shape).mean((1, 2, 3))


@contextmanager
def _exact_convolutions(device: torch.device) -> Iterator[None]:
    """Convolutions without bf16 and TF32: SSIM's variances are small differences of large means."""
    cudnn = torch.backends.cudnn
    before, cudnn.allow_tf32 = cudnn.allow_tf32, False
    try:
        with without_autocast(device):
            yield
    finally:
        cudnn.allow_tf32 = before


def psnr(predicted: Tensor, true: Tensor) -> Tensor:
    """Of each frame `B 3 H W` in [-1, 1], in dB: `B`."""
    value = peak_signal_noise_ratio(predicted, true, DATA_RANGE, reduction="none", dim=(1, 2, 3))
    assert isinstance(value, Tensor)
    return value


def foreground_iou(predicted: Tensor, masks: Tensor) -> Tensor:
    """Intersection over union of reconstructed foregrounds `B 3 H W` in [-1, 1] and their masks `B H W`: `B`.

    Masks are 1 on foreground; reconstructed pixels are foreground by `foreground_shown`. 0 for an empty mask.
    """
    shown, true = foreground_shown(predicted), masks > 0
    return (shown & true).sum((1, 2)) / (shown | true).sum((1, 2)).clamp(min=1)


def gradients(frames: Tensor) -> Tensor:
    """Absolute horizontal plus vertical differences to the next pixels, of frames `B C H W`: `B C H-1 W-1`."""
    corner = frames[..., 1:, 1:]
    return (corner - frames[..., 1:, :-1]).abs() + (corner - frames[..., :-1, 1:]).abs()


def sharpness_difference(predicted: Tensor, true: Tensor) -> Tensor:
    """Agreement of the gradients of frames `B 3 H W` in [-1, 1], in dB, higher is better: `B`.

    Mathieu et al. (2016), section 4.1: the formula of PSNR, with the mean absolute difference of gradients instead of
    the mean squared error of the pixels.
    """
    error = (gradients(predicted) - gradients(true)).abs().mean((1, 2, 3))
    return 10 * torch.log10(DATA_RANGE**2 / error.clamp(min=1e-8))
