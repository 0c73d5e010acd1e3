import math
import statistics

import pytest
import torch
from scipy.ndimage import uniform_filter

from fbm.models.disentangler import FOREGROUND_THRESHOLD, Reconstruction
from fbm.tasks.quality import Edges, ForegroundIoU, ReconstructionQuality, gradients, sharpness_difference, ssim


def frames(*shape: int, seed: int) -> torch.Tensor:
    """Like a decoder's: in [-1, 1]."""
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def reconstruction(count: int, seed: int) -> Reconstruction:
    return Reconstruction(*frames(3, count, 3, 32, 32, seed=seed))


def half(size: int = 4) -> torch.Tensor:
    """A foreground that shows something in the upper half only."""
    made = torch.zeros(1, 3, size, size)
    made[:, 2, : size // 2] = -0.5
    return made


@pytest.mark.parametrize(
    ("rows", "columns", "expected"),
    [((0, 2), (0, 4), 1.0), ((2, 4), (0, 4), 0.0), ((0, 4), (0, 4), 0.5), ((0, 2), (0, 1), 0.25)],
)
def test_iou_by_hand(rows, columns, expected):
    mask = torch.zeros(1, 4, 4)
    mask[:, slice(*rows), slice(*columns)] = 1
    metric = ForegroundIoU()
    metric.update(half(), mask)
    assert float(metric.compute()) == pytest.approx(expected)


def test_what_shows_is_further_from_grey_than_the_threshold_in_any_channel():
    shown = torch.zeros(2, 3, 4, 4)
    shown[0, 0], shown[1, 1] = FOREGROUND_THRESHOLD - 1e-3, -FOREGROUND_THRESHOLD - 1e-3
    metric = ForegroundIoU()
    metric.update(shown[:1], torch.ones(1, 4, 4))
    assert float(metric.compute()) == 0
    metric.update(shown[1:], torch.ones(1, 4, 4))
    assert float(metric.compute()) == 0.5


def test_iou_leaves_out_frames_without_a_mask_and_counts_frames_not_batches():
    full, empty = torch.ones(1, 4, 4), torch.zeros(1, 4, 4)
    metric = ForegroundIoU()
    metric.update(half(), empty)
    assert torch.isnan(metric.compute())
    metric.update(half().expand(3, -1, -1, -1), torch.cat([full, empty, full]))
    metric.update(torch.zeros(1, 3, 4, 4), full)  # nothing shows: an IoU of 0
    assert float(metric.compute()) == pytest.approx((0.5 + 0.5 + 0) / 3)


def test_a_grey_reconstruction_has_an_iou_of_nothing():
    quality = ReconstructionQuality()
    true = reconstruction(2, seed=1)
    quality.update(Reconstruction(*(torch.zeros(2, 3, 32, 32) for _ in range(3))), true, torch.ones(2, 8, 32, 32))
    found = {name: float(metric.compute()) for name, metric in quality.named().items()}
    assert found["iou_first_foreground"] == found["iou_last_foreground"] == 0
    assert found["psnr_first_background"] == pytest.approx(10 * math.log10(4 / (1 / 3)), abs=0.2)  # uniform in [-1, 1]


def test_quality_names_are_the_contracts():
    pictures = ("first_foreground", "first_background", "last_foreground")
    assert set(ReconstructionQuality().named()) == {
        *(f"{measure}_{picture}" for measure in ("psnr", "ssim", "sharpness", "edges") for picture in pictures),
        *("iou_first_foreground", "iou_last_foreground"),
    }


def test_quality_is_the_mean_over_frames_whatever_the_batches():
    made, true, masks = reconstruction(5, seed=1), reconstruction(5, seed=2), torch.zeros(5, 8, 32, 32)
    masks[:, 0, :8], masks[1:, -1, :, :12] = 1, 1  # the first clip's last mask is empty
    quality = ReconstructionQuality()
    for part in torch.arange(5).split([1, 4]):
        quality.update(Reconstruction(*(f[part] for f in made)), Reconstruction(*(f[part] for f in true)), masks[part])
    found = {name: float(metric.compute()) for name, metric in quality.named().items()}
    for picture, one, other in zip(Reconstruction._fields, made, true, strict=True):
        psnr = [10 * math.log10(4 / float((a - b).square().mean())) for a, b in zip(one, other, strict=True)]
        assert found[f"psnr_{picture}"] == pytest.approx(statistics.mean(psnr), rel=1e-5)
        singly = [float(ssim(a[None], b[None])) for a, b in zip(one, other, strict=True)]
        assert found[f"ssim_{picture}"] == pytest.approx(statistics.mean(singly), abs=1e-6)
    first = [iou(a, m) for a, m in zip(made.first_foreground, masks[:, 0], strict=True)]
    last = [iou(a, m) for a, m in zip(made.last_foreground[1:], masks[1:, -1], strict=True)]
    assert found["iou_first_foreground"] == pytest.approx(statistics.mean(first))
    assert found["iou_last_foreground"] == pytest.approx(statistics.mean(last))


def iou(frame: torch.Tensor, mask: torch.Tensor) -> float:
    shown = {tuple(place) for place in (frame.abs() > FOREGROUND_THRESHOLD).any(0).nonzero().tolist()}
    true = {tuple(place) for place in mask.nonzero().tolist()}
    return len(shown & true) / len(shown | true)


def test_ssim_by_its_formula():
    """Means, variances and covariance over 7 x 7 windows, reflected at the border (Wang et al., 2004)."""
    one, other = frames(2, 3, 20, 24, seed=1), frames(2, 3, 20, 24, seed=2) * 0.5
    a, b = one.double().numpy(), other.double().numpy()

    def window(values):
        return uniform_filter(values, size=(1, 1, 7, 7), mode="mirror")

    mean_a, mean_b = window(a), window(b)
    variances = window(a * a) - mean_a**2 + window(b * b) - mean_b**2
    covariance = window(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2
    maps = (2 * mean_a * mean_b + c1) * (2 * covariance + c2) / ((mean_a**2 + mean_b**2 + c1) * (variances + c2))
    assert float(ssim(one, other)) == pytest.approx(maps.mean(), abs=1e-4)
    assert float(ssim(one, one)) == pytest.approx(1)


def test_quality_leaves_nothing_in_checkpoints():
    assert ReconstructionQuality().state_dict() == {}


def test_sharpness_difference_by_hand():
    true, predicted = torch.zeros(1, 3, 3, 3), torch.zeros(1, 3, 3, 3)
    true[..., 1, 1] = 0.5  # its two gradients, and one each of the pixels right of it and below
    assert gradients(true)[0, 0].tolist() == [[1.0, 0.5], [0.5, 0.0]]
    assert sharpness_difference(predicted, true).tolist() == pytest.approx([10 * math.log10(4 / 0.5)])
    assert sharpness_difference(true, true).item() > 80


@pytest.mark.parametrize(("strength", "expected"), [(1.0, 1.0), (0.5, 0.5), (2.0, 2.0), (0.0, 0.0)])
def test_edges_are_a_share_of_the_truths(strength, expected):
    true = frames(2, 3, 8, 8, seed=1)
    edges = Edges()
    edges.update(true[:1] * strength, true[:1])
    edges.update(true[1:] * strength, true[1:])
    assert edges.compute().item() == pytest.approx(expected)


def test_a_blurred_picture_has_fewer_edges():
    true = frames(1, 3, 16, 16, seed=1)
    edges = Edges()
    edges.update(torch.nn.functional.avg_pool2d(true, 3, stride=1, padding=1), true)
    assert edges.compute() < 0.5
