import math
import statistics

import pytest
import torch
from scipy.ndimage import uniform_filter
from torchmetrics.functional.classification import multiclass_accuracy

from fbm.models.disentangler import FOREGROUND_THRESHOLD, Reconstruction
from fbm.models.encoder import C3DEncoder
from fbm.tasks import Classify
from fbm.tasks.metrics import ForegroundIoU, Mean, ReconstructionQuality, Seen, VideoAccuracy, ssim
from tests.tasks.test_task import ADAM

# Three videos of 3, 2 and 1 clips. By the mean: video 7 is right though two of its three clips are wrong, video 2 is
# wrong though one of two is right, video 5 is right.
PROBABILITIES = torch.tensor(
    [[0.9, 0.1, 0.0], [0.4, 0.6, 0.0], [0.4, 0.6, 0.0], [0.1, 0.5, 0.4], [0.1, 0.0, 0.9], [0.1, 0.2, 0.7]]
)
LABELS = torch.tensor([0, 0, 0, 1, 1, 2])
VIDEOS = torch.tensor([7, 7, 7, 2, 2, 5])


def test_video_accuracy_by_hand():
    metric = VideoAccuracy()
    metric.update(PROBABILITIES, LABELS, VIDEOS)
    torch.testing.assert_close(metric.compute(), torch.tensor(2 / 3))


def test_a_videos_clips_may_come_in_any_batches_and_order():
    order = torch.tensor([4, 0, 5, 2, 3, 1])
    metric = VideoAccuracy()
    for part in order.split([1, 3, 2]):
        metric.update(PROBABILITIES[part], LABELS[part], VIDEOS[part])
    torch.testing.assert_close(metric.compute(), torch.tensor(2 / 3))


def test_an_epoch_forgets_the_last():
    metric = VideoAccuracy()
    metric.update(PROBABILITIES, LABELS, VIDEOS)
    metric.reset()
    metric.update(torch.tensor([[0.1, 0.9]]), torch.tensor([1]), torch.tensor([7]))
    assert float(metric.compute()) == 1.0


def test_clip_accuracy_counts_clips_not_classes():
    task = Classify(C3DEncoder(4, 8, 32), ADAM, ["a", "b", "c"])
    for metric in (task.measure(name) for name in ("train/top1", "val/clip_top1", "test/clip_top1")):
        metric.update(PROBABILITIES, LABELS)
        torch.testing.assert_close(metric.compute(), torch.tensor(3 / 6))
    macro = multiclass_accuracy(PROBABILITIES, LABELS, 3, average="macro")
    assert not torch.isclose(macro, torch.tensor(0.5))  # else this test could not tell


def test_a_mean_is_over_samples_not_batches():
    metric = Mean()
    for value, samples in ((1.0, 1), (2.0, 3)):
        metric.update(torch.tensor(value, requires_grad=True), samples)
    assert float(metric.compute()) == 7 / 4
    assert not metric.compute().requires_grad
    metric.reset()
    metric.update(torch.tensor(3.0, dtype=torch.bfloat16), 2)
    assert float(metric.compute()) == 3


def test_a_mean_with_nan_is_nan():
    metric = Mean()
    for value in (1.0, math.nan, 2.0):
        metric.update(torch.tensor(value), 1)
    assert math.isnan(metric.compute())


def test_a_mean_that_was_reset_in_inference_mode_can_be_added_to_later():
    metric = Mean()
    with torch.inference_mode():
        metric.reset()
    metric.update(torch.tensor(1.0, requires_grad=True), 1)
    assert float(metric.compute()) == 1


@pytest.mark.parametrize("batches", [[[0, 1], [2]], [[2], [1, 0]], [[0, 1, 2]]])
def test_all_seen_once_is_right(batches):
    seen = Seen()
    for batch in batches:
        seen.update(torch.tensor(batch))
    seen.check("val", 3)


@pytest.mark.parametrize(
    ("numbers", "samples", "message"),
    [
        ([0, 1, 1, 2], 3, "test: 4 clips were measured, 3 once each should have been; sample 1 2 times"),
        ([0, 2], 3, "test: 2 clips were measured, 3 once each should have been; sample 1 0 times"),
        ([0], 3, "test: 1 clips were measured, 3 once each .* sample 1 0 times, sample 2 0 times"),
        ([0, 1, 5], 2, "test: 3 clips were measured, 2 once each should have been; sample 5 1 times"),
    ],
)
def test_what_is_seen_twice_or_missing_is_told(numbers, samples, message):
    seen = Seen()
    seen.update(torch.tensor(numbers))
    with pytest.raises(RuntimeError, match=f"^{message}$"):
        seen.check("test", samples)


# --- reconstructions


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
        *(f"{measure}_{picture}" for measure in ("psnr", "ssim") for picture in pictures),
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
