"""Crops, colours and blur against hand-worked values; what is drawn, and that frames of a clip are treated alike."""

import math
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from fbm.data.batch import ClipBatch
from fbm.models.encoder import C3DEncoder, adapt, residual_frames
from fbm.tasks import Classify, ClipOrder, Contrast
from fbm.tasks.augmentation import Augmentation, blurred, colour_change, cropped, recoloured, uniform
from fbm.tasks.task import Task

FIELD: dict[str, Any] = {
    **{"scale": (0.2, 1.0), "jitter": 0.8, "brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1},
    **{"grey": 0.2, "blur": 0.5},
}
SGD = partial(torch.optim.SGD, lr=1e-3)


def noise(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 2 - 1


# --- crops


def test_a_crop_of_its_own_size_is_a_slice():
    pictures = noise(2, 3, 4, 10, 10)
    made = cropped(pictures, torch.tensor([[1.0, 3, 6, 6], [4, 0, 6, 6]]), 6)
    torch.testing.assert_close(made[0], pictures[0, :, :, 1:7, 3:9], atol=1e-5, rtol=0)
    torch.testing.assert_close(made[1], pictures[1, :, :, 4:10, 0:6], atol=1e-5, rtol=0)


def test_a_crop_is_resized_as_by_hand():
    """Two pixels to four: at 0.75, 1.25, 1.75 and 2.25 of the row, counted from the first pixel's centre."""
    row = torch.tensor([9.0, 0, 4, 9]).view(1, 1, 1, 1, 4).expand(1, 1, 1, 4, 4)
    made = cropped(row, torch.tensor([[0.0, 1, 4, 2]]), 4)
    expected = [9 * 0.25, 1.0, 3.0, 4 * 0.75 + 9 * 0.25]  # pixels beside the crop count, as they are there
    torch.testing.assert_close(made[0, 0, 0, 1], torch.tensor(expected), atol=1e-4, rtol=0)


def test_masks_stay_masks_and_go_with_the_frames():
    masks = torch.zeros(1, 2, 8, 8)
    masks[:, :, 2:6, 4:8] = 1
    box = torch.tensor([[2.0, 4, 4, 4]])
    assert (cropped(masks, box, 8, "nearest") == 1).all()
    made = cropped(masks, torch.tensor([[0.0, 0, 8, 8]]), 4, "nearest")
    assert set(made.unique().tolist()) == {0, 1}
    assert cropped(torch.zeros(1, 0, 8, 8), box, 4, "nearest").shape == (1, 0, 4, 4)


def test_boxes_are_whole_pixels_within_the_frame():
    random = uniform(0, 0, torch.arange(4000), 4)
    made = Augmentation(scale=(0.2, 1.0)).boxes(random, 128, 112)
    top, left, height, width = made.unbind(1)
    assert torch.equal(made, made.round())
    assert float(made.min()) >= 0
    assert float((top + height).max()) == float((left + width).max()) == 128
    area, ratio = height * width / 128**2, width / height
    assert 0.19 < float(area.min()) < 0.21
    assert 0.97 < float(area.max()) <= 1
    assert 0.73 < float(ratio.min()) < 0.76 < 1.32 < float(ratio.max()) < 1.36


def test_a_box_by_hand():
    """Area 64 x (0.25 + 0.5 x 0.5) = 32 pixels, ratio sqrt(1/2 x 2) = 1: 6 x 6 (5.66), at 0.5 x 3 and 0.99 x 3."""
    made = Augmentation(scale=(0.25, 0.75), ratio=(0.5, 2.0)).boxes(torch.tensor([[0.5, 0.5, 0.5, 0.99]]), 8, 4)
    assert made.tolist() == [[1, 2, 6, 6]]
    assert Augmentation().boxes(torch.tensor([[0.5, 0.5, 0.5, 0.99]]), 8, 4).tolist() == [[2, 4, 4, 4]]


# --- colours and blur


def clip_of(colour: tuple[float, float, float]) -> Tensor:
    """One clip of one colour in [0, 1]."""
    return (torch.tensor(colour) * 2 - 1).view(1, 3, 1, 1, 1).expand(1, 3, 2, 4, 4)


def one(value: float) -> Tensor:
    return torch.tensor([value])


@pytest.mark.parametrize(
    ("brightness", "contrast", "saturation", "hue", "expected"),
    [
        (1, 1, 1, 0, (0.6, 0.2, 0.4)),
        (0.5, 1, 1, 0, (0.3, 0.1, 0.2)),
        (2, 1, 1, 0, (1.0, 0.4, 0.8)),  # 1.2 is clamped
        # Luma 0.299 x 0.6 + 0.587 x 0.2 + 0.114 x 0.4 = 0.3424
        (1, 0.5, 1, 0, (0.4712, 0.2712, 0.3712)),
        (1, 0, 1, 0, (0.3424, 0.3424, 0.3424)),
        (0.5, 0.5, 1, 0, (0.2356, 0.1356, 0.1856)),
        (1, 1, 0, 0, (0.3424, 0.3424, 0.3424)),
        (1, 1, 0.5, 0, (0.4712, 0.2712, 0.3712)),
        (1, 1, 1, 0.5, (0.0848, 0.4848, 0.2848)),  # half the circle: as far on the other side of luma
        (1, 1, 1, 1, (0.6, 0.2, 0.4)),
    ],
)
def test_colours_by_hand(brightness, contrast, saturation, hue, expected):
    made = recoloured(
        clip_of((0.6, 0.2, 0.4)), one(brightness), one(contrast), colour_change(one(saturation), one(hue))
    )
    torch.testing.assert_close((made[0, :, 0, 0, 0] + 1) / 2, torch.tensor(expected), atol=2e-4, rtol=0)


def test_contrast_is_around_the_mean_of_the_whole_clip():
    """A dark frame and a bright one: each frame's own mean would leave both as they are."""
    clip = torch.cat([clip_of((0.2,) * 3)[:, :, :1], clip_of((0.6,) * 3)[:, :, :1]], 2)
    made = recoloured(clip, one(1), one(0.5), colour_change(one(1), one(0)))
    torch.testing.assert_close((made[0, 0, :, 0, 0] + 1) / 2, torch.tensor([0.3, 0.5]), atol=1e-4, rtol=0)


def test_a_turn_of_the_hue_leaves_luma_and_greys():
    matrix = colour_change(one(1), one(0.1))[0]
    luma = torch.tensor([0.299, 0.587, 0.114])
    torch.testing.assert_close(luma @ matrix, luma, atol=1e-4, rtol=0)
    torch.testing.assert_close(matrix.sum(1), torch.ones(3), atol=1e-4, rtol=0)
    assert (matrix - torch.eye(3)).abs().max() > 0.1


def test_a_blur_by_hand():
    """A point of light; a Gaussian of 1 pixel cut off at 1: weights 1, exp(-1/2), each way."""
    clip = torch.zeros(2, 3, 1, 5, 5)
    clip[:, :, :, 2, 2] = 1
    made = blurred(clip, torch.tensor([1.0, 0.0]), 1)
    beside = math.exp(-0.5) / (1 + 2 * math.exp(-0.5))
    middle = 1 / (1 + 2 * math.exp(-0.5))
    assert float(made[0, 0, 0, 2, 2]) == pytest.approx(middle**2, abs=1e-6)
    assert float(made[0, 1, 0, 2, 1]) == pytest.approx(middle * beside, abs=1e-6)
    assert float(made[0, 2, 0, 3, 3]) == pytest.approx(beside**2, abs=1e-6)
    assert torch.equal(made[1], clip[1])
    flat = torch.full((1, 3, 1, 5, 5), 0.5)
    torch.testing.assert_close(blurred(flat, one(1.0), 2), flat)  # edges are repeated, not dark


# --- what is drawn


def test_random_numbers_are_even_and_of_seed_epoch_and_sample():
    drawn = uniform(3, 2, torch.arange(20000), 4)
    assert drawn.shape == (20000, 4)
    assert 0 <= float(drawn.min()) < float(drawn.max()) < 1
    torch.testing.assert_close(drawn.mean(0), torch.full((4,), 0.5), atol=0.02, rtol=0)
    assert float(torch.corrcoef(drawn.T).fill_diagonal_(0).abs().max()) < 0.03
    assert torch.equal(uniform(3, 2, torch.tensor([7, 5]), 4), drawn[[7, 5]])
    for seed, epoch in ((3, 1), (2, 2)):
        assert not torch.equal(uniform(seed, epoch, torch.arange(5), 4), drawn[:5])


def test_a_clip_is_augmented_alike_in_any_batch_and_all_its_frames_are():
    augmentation = Augmentation(**FIELD, seed=4)
    clips = noise(6, 3, 1, 40, 40).expand(6, 3, 4, 40, 40)  # every frame of a clip is the same
    masks = torch.ones(6, 4, 40, 40)
    made, made_masks = augmentation(clips, masks, 32, 1, torch.arange(6))
    assert made.shape == (6, 3, 4, 32, 32)
    assert made_masks.shape == (6, 4, 32, 32)
    assert made.is_contiguous(memory_format=torch.channels_last_3d)
    assert float(made.abs().max()) <= 1
    torch.testing.assert_close(made, made[:, :, :1].expand_as(made))
    few, _ = augmentation(clips[[4, 1]], masks[[4, 1]], 32, 1, torch.tensor([4, 1]))
    torch.testing.assert_close(few, made[[4, 1]])
    later, _ = augmentation(clips, masks, 32, 2, torch.arange(6))
    assert all(not torch.allclose(before, after) for before, after in zip(made, later, strict=True))


def test_mixed_precision_changes_nothing():
    augmentation, masks = Augmentation(**FIELD), torch.ones(4, 0, 40, 40)
    clips = noise(4, 3, 2, 40, 40)
    with torch.autocast("cpu", torch.bfloat16):
        made, _ = augmentation(clips, masks, 32, 0, torch.arange(4))
    assert torch.equal(made, augmentation(clips, masks, 32, 0, torch.arange(4))[0])


def test_as_many_clips_are_changed_as_is_asked():
    augmentation = Augmentation(**FIELD)
    random = uniform(0, 0, torch.arange(4000), 6)
    brightness, contrast, colours = augmentation.colours(random)
    assert float((brightness != 1).float().mean()) == pytest.approx(0.8, abs=0.02)
    for factor in (brightness, contrast):
        assert 0.6 <= float(factor.min()) < 0.61 < 1.39 < float(factor.max()) <= 1.4
    grey = (colours - colours[:, :1]).abs().amax((1, 2)) < 1e-5  # three equal rows
    assert float(grey.float().mean()) == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize(
    "options",
    [
        {"scale": (0.5, 0.2)}, {"scale": (0.0, 1.0)}, {"scale": (0.5, 1.5)}, {"ratio": (2.0, 1.0)},
        {"sigma": (0.0, 1.0)}, {"hue": 0.6}, {"blur": 1.1}, {"grey": -0.1}, {"jitter": 2.0}, {"contrast": 1.5},
    ],
)  # fmt: skip
def test_values_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match=f"augment.{next(iter(options))}="):
        Augmentation(**options)


# --- in a task


def batch_of(*clips: int, size: int = 40) -> ClipBatch:
    frames = torch.randint(0, 256, (3, *clips, 8, size, size, 3), dtype=torch.uint8)
    masks = torch.zeros(3, *clips, 0, size, size, dtype=torch.uint8)
    number = torch.arange(3)
    return ClipBatch(frames, masks, number, number, number, torch.ones(3).bool())


def made(kind: Any, *more: Any) -> Task:
    encoder = C3DEncoder(4, 8, 32, "group", "group")
    adapt(encoder, 40, "frames")
    task: Task = kind(encoder, SGD, *more)
    return task


def test_without_augmentation_and_in_evaluation_the_middle_is_taken():
    batch, task = batch_of(), made(Classify, ["a", "b"])
    middle = batch.frames[:, :, 4:36, 4:36].permute(0, 4, 1, 2, 3).float() / 255 * 2 - 1
    torch.testing.assert_close(task.inputs(batch)[0], middle)
    task.augmentation = Augmentation()
    torch.testing.assert_close(task.eval().inputs(batch)[0], middle)
    assert not torch.allclose(task.train().inputs(batch)[0], middle)


def test_views_of_a_contrast_differ_and_clips_in_order_do_not():
    clip = batch_of(1)
    for task, alike in ((made(Contrast), False), (made(ClipOrder), True)):
        task.augmentation = Augmentation(**FIELD)
        count = task.windows.clips  # type: ignore[union-attr]
        same = clip._replace(
            frames=clip.frames.expand(3, count, 8, 40, 40, 3), masks=clip.masks.expand(3, count, 0, 40, 40)
        )
        views = task.inputs(same)[0].view(3, count, 3, 8, 32, 32)
        assert torch.allclose(views[:, 0], views[:, 1]) == alike


def test_residual_frames_are_differences():
    clip = noise(1, 3, 4, 2, 2)
    made = residual_frames(clip)
    assert made.shape == clip.shape
    torch.testing.assert_close(made[:, :, 0], clip[:, :, 1] - clip[:, :, 0])
    torch.testing.assert_close(made[:, :, 2], clip[:, :, 3] - clip[:, :, 2])
    assert torch.equal(made[:, :, 3], made[:, :, 2])


def test_an_encoder_makes_residual_frames_itself():
    torch.manual_seed(0)
    encoder = C3DEncoder(4, 8, 32, "group", "group").eval()
    clip = noise(1, 3, 8, 32, 32)
    with torch.no_grad():
        expected = encoder(residual_frames(clip))
        adapt(encoder, 32, "residual")
        assert torch.equal(encoder(clip), expected)
        assert torch.equal(encoder(clip + 0.25), encoder(clip + 0.25))
        torch.testing.assert_close(encoder(clip / 2 + 0.25), encoder(clip / 2), atol=1e-5, rtol=1e-4)
