import math
import statistics

import pytest
import torch
from scipy.ndimage import uniform_filter

from fbm.models.disentangler import FOREGROUND_THRESHOLD, Reconstruction
from fbm.tasks.quality import (
    EdgeRatio,
    ReconstructionQuality,
    foreground_iou,
    frames_with_loss,
    gradients,
    psnr,
    sharpness_difference,
    ssim,
)

EVERY = torch.ones(1, dtype=torch.bool)


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
    assert foreground_iou(half(), mask).tolist() == pytest.approx([expected])


def test_what_shows_is_further_from_grey_than_the_threshold_in_any_channel():
    shown = torch.zeros(2, 3, 4, 4)
    shown[0, 0], shown[1, 1] = FOREGROUND_THRESHOLD - 1e-3, -FOREGROUND_THRESHOLD - 1e-3
    assert foreground_iou(shown, torch.ones(2, 4, 4)).tolist() == [0, 1]


def test_iou_leaves_out_frames_without_a_mask_and_counts_frames_not_batches():
    quality = ReconstructionQuality()
    nothing = torch.zeros(1, 3, 32, 32)
    for made, mask in (([half(32)] * 3, "x-x"), ([nothing], "x")):
        pictures = reconstruction(len(made), seed=1)._replace(first_foreground=torch.cat(made))
        masks = torch.stack([torch.full((2, 32, 32), float(letter == "x")) for letter in mask])
        quality.update(pictures, pictures, masks)
    assert float(quality.named()["iou_first_foreground"].compute()) == pytest.approx((0.5 + 0.5 + 0) / 3)


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


def masks_of(first: str, last: str) -> torch.Tensor:
    """Masks `B 8 32 32` of a square in the first and the last frame of those clips that have an x."""
    masks = torch.zeros(len(first), 8, 32, 32)
    for frame, shown in ((0, first), (-1, last)):
        masks[[letter == "x" for letter in shown], frame, 8:20, :12] = 1
    return masks


def measured(
    made: Reconstruction, true: Reconstruction, masks: torch.Tensor, *batches: list[int]
) -> dict[str, torch.Tensor]:
    """The figures of these clips, in one batch or in several."""
    quality = ReconstructionQuality()
    for part in batches or [list(range(len(masks)))]:
        quality.update(Reconstruction(*(f[part] for f in made)), Reconstruction(*(f[part] for f in true)), masks[part])
    return {name: metric.compute() for name, metric in quality.named().items()}


def test_quality_is_the_mean_over_frames_whatever_the_batches():
    """By hand; the first clip's last mask is empty, so its last foreground does not count."""
    made, true, masks = reconstruction(5, seed=1), reconstruction(5, seed=2), masks_of("xxxxx", "-xxxx")
    found = measured(made, true, masks, [0], [1, 2, 3, 4])
    for picture, one, other in zip(Reconstruction._fields, made, true, strict=True):
        counted = range(picture == "last_foreground", 5)
        decibels = [10 * math.log10(4 / float((one[n] - other[n]).square().mean())) for n in counted]
        assert float(found[f"psnr_{picture}"]) == pytest.approx(statistics.mean(decibels), rel=1e-5)
        singly = [float(ssim(one[n, None], other[n, None])) for n in counted]
        assert float(found[f"ssim_{picture}"]) == pytest.approx(statistics.mean(singly), abs=1e-6)
    first = [iou(a, m) for a, m in zip(made.first_foreground, masks[:, 0], strict=True)]
    last = [iou(a, m) for a, m in zip(made.last_foreground[1:], masks[1:, -1], strict=True)]
    assert float(found["iou_first_foreground"]) == pytest.approx(statistics.mean(first))
    assert float(found["iou_last_foreground"]) == pytest.approx(statistics.mean(last))


@pytest.mark.parametrize(
    ("picture", "first", "last", "counted"),
    [
        ("first_foreground", "x-x-x", "xxxx-", [0, 2, 4]),
        ("last_foreground", "xx-xx", "-xx--", [1, 2]),
        ("first_background", "x----", "-----", [0, 1, 2, 3, 4]),
    ],
)
def test_a_batch_with_empty_masks_has_the_figures_of_the_same_batch_without_them(picture, first, last, counted):
    made, true, masks = reconstruction(5, seed=1), reconstruction(5, seed=2), masks_of(first, last)
    some, same = (Reconstruction(*(frames[counted] for frames in pictures)) for pictures in (made, true))
    without = measured(some, same, masks_of("x" * len(counted), "x" * len(counted)))
    found = measured(made, true, masks, [0, 1, 2], [3, 4])
    for measure in ("psnr", "ssim", "sharpness", "edges"):
        torch.testing.assert_close(found[f"{measure}_{picture}"], without[f"{measure}_{picture}"])


def test_foregrounds_are_nan_where_no_frame_has_a_mask_and_backgrounds_are_not():
    found = measured(reconstruction(2, seed=1), reconstruction(2, seed=2), masks_of("--", "--"))
    assert {name for name, value in found.items() if value.isnan()} == {
        f"{measure}_{end}_foreground"
        for measure in ("psnr", "ssim", "sharpness", "edges", "iou")
        for end in ("first", "last")
    }


def test_a_perfect_grey_that_does_not_count_changes_nothing():
    """Its PSNR is infinite, and nothing times infinity is nan."""
    made, true = reconstruction(2, seed=1), reconstruction(2, seed=2)
    for pictures in (made, true):
        pictures.first_foreground[0] = 0
    assert psnr(made.first_foreground, true.first_foreground)[0].isinf()
    assert measured(made, true, masks_of("-x", "xx"))["psnr_first_foreground"].isfinite()


def test_ranks_together_have_the_figures_of_one_also_where_one_of_them_sees_no_foreground():
    """States are summed over ranks, as `merge_state` does."""
    made, true, masks = reconstruction(5, seed=1), reconstruction(5, seed=2), masks_of("--xxx", "---x-")
    ranks = [ReconstructionQuality(), ReconstructionQuality()]
    for quality, part in zip(ranks, ([0, 1], [2, 3, 4]), strict=True):
        quality.update(Reconstruction(*(f[part] for f in made)), Reconstruction(*(f[part] for f in true)), masks[part])
    first, second = (quality.named() for quality in ranks)
    for name, expected in measured(made, true, masks).items():
        second[name].merge_state(first[name])
        torch.testing.assert_close(second[name].compute(), expected)


def test_which_frames_have_a_loss():
    first, background, last = frames_with_loss(masks_of("x-x", "-xx"))
    assert (first.tolist(), last.tolist()) == ([True, False, True], [False, True, True])
    assert background.all()


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
    assert ssim(one, other).tolist() == pytest.approx(maps.mean((1, 2, 3)), abs=1e-4)
    assert ssim(one, one).tolist() == pytest.approx([1, 1])


def test_ssim_is_the_same_in_mixed_precision():
    one, other = frames(2, 3, 32, 32, seed=1), frames(2, 3, 32, 32, seed=2)
    one[:, :, :16] = 0.3  # even: its variance is a difference of equal means
    slightly = (one + 0.1 * other).clamp(-1, 1)
    expected = ssim(slightly, one)
    with torch.autocast("cpu", torch.bfloat16):
        assert ssim(one, one).tolist() == pytest.approx([1, 1], abs=1e-4)
        assert torch.equal(ssim(slightly, one), expected)
        same = Reconstruction(one, one, one)
        found = measured(same, same, masks_of("xx", "xx"))
    assert [float(found[f"ssim_{picture}"]) for picture in Reconstruction._fields] == pytest.approx([1] * 3, abs=1e-4)


def test_ssim_is_measured_without_tf32_which_then_is_as_it_was(monkeypatch):
    cudnn, seen = torch.backends.cudnn, []

    def look(*given: torch.Tensor, **_: object) -> tuple[torch.Tensor, torch.Tensor]:
        seen.append(cudnn.allow_tf32)
        return given[0].mean(), given[0]

    monkeypatch.setattr("fbm.tasks.quality.structural_similarity_index_measure", look)
    for before in (True, False):
        monkeypatch.setattr(cudnn, "allow_tf32", before)
        ssim(frames(1, 3, 8, 8, seed=1), frames(1, 3, 8, 8, seed=2))
        assert cudnn.allow_tf32 is before
    assert seen == [False, False]


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
    edges = EdgeRatio()
    edges.update(true[:1] * strength, true[:1], EVERY)
    edges.update(true[1:] * strength, true[1:], EVERY)
    assert edges.compute().item() == pytest.approx(expected)


def test_a_blurred_picture_has_fewer_edges():
    true = frames(1, 3, 16, 16, seed=1)
    edges = EdgeRatio()
    edges.update(torch.nn.functional.avg_pool2d(true, 3, stride=1, padding=1), true, EVERY)
    assert edges.compute() < 0.5
