import math

import pytest
import torch

from fbm.models.disentangler import Disentangled, Features, Reconstruction
from fbm.models.losses import (
    DisentanglingLosses,
    LossWeights,
    background_loss,
    background_of,
    disentangling_losses,
    feature_loss,
    foreground_loss,
    foreground_of,
    foreground_weights,
    mask_loss,
    truth,
)

PARTS = Features(*torch.zeros(3, 2, 4, 1, 1))


def mask(foreground: int, size: int = 4) -> torch.Tensor:
    """`1 size size` with that many foreground pixels, the first ones."""
    return (torch.arange(size * size) < foreground).float().view(1, size, size)


@pytest.mark.parametrize(
    ("foreground", "weight"),
    [(1, 15.0), (2, 7.0), (4, 3.0), (7, 9 / 7), (8, 1.0), (9, 1.0), (15, 1.0), (16, 1.0)],
)
def test_w_is_the_ratio_of_areas_where_that_exceeds_one(foreground, weight):
    weights = foreground_weights(mask(foreground))
    inside = mask(foreground) > 0
    torch.testing.assert_close(weights[inside], torch.full((foreground,), weight))
    assert (weights[~inside] == 1).all()


def test_w_is_each_frames_own():
    weights = foreground_weights(torch.cat([mask(1), mask(0), mask(8)]))
    assert weights.amax((1, 2)).tolist() == [15.0, 0.0, 1.0]


def test_foreground_loss_by_hand():
    """Two frames of 1 x 2 pixels: W is 1 (one pixel of two is foreground) in the first; 0 in the empty second."""
    frames = torch.tensor([[[0.5, -0.5]], [[1.0, 1.0]]])[:, None].expand(2, 3, 1, 2)
    masks = torch.tensor([[[1.0, 0.0]], [[0.0, 0.0]]])
    predicted = torch.tensor([[[0.1, 0.3]], [[0.9, -0.9]]])[:, None].expand(2, 3, 1, 2)
    # |0.1 - 0.5| + |0.3 - 0| over 2 samples x 2 pixels, alike in all three channels
    assert float(foreground_loss(predicted, frames, masks)) == pytest.approx(0.7 / 4)


def test_foreground_loss_weighs_a_small_foreground_up():
    frames, masks = torch.ones(1, 3, 2, 2), mask(1, 2)  # W = 3 on the one foreground pixel
    predicted = torch.zeros(1, 3, 2, 2)
    predicted[..., 1, 1] = 0.25
    assert float(foreground_loss(predicted, frames, masks)) == pytest.approx((3 * 1 + 0.25) / 4)


def test_an_empty_mask_contributes_nothing_not_even_a_gradient():
    predicted = torch.randn(2, 3, 4, 4, requires_grad=True)
    masks = torch.cat([mask(0), mask(5)])
    loss = foreground_loss(predicted, torch.randn(2, 3, 4, 4), masks)
    loss.backward()
    assert predicted.grad is not None
    assert not predicted.grad[0].any()
    assert predicted.grad[1].all()
    assert float(foreground_loss(predicted.detach()[:1], torch.randn(1, 3, 4, 4), mask(0))) == 0.0


def test_a_full_mask_is_a_plain_mean():
    predicted, frames = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4)
    full = torch.ones(2, 4, 4)
    torch.testing.assert_close(foreground_loss(predicted, frames, full), (predicted - frames).abs().mean())
    torch.testing.assert_close(background_loss(predicted, frames, full), predicted.abs().mean())


def test_background_loss_by_hand():
    frames = torch.full((1, 3, 1, 2), 0.5)
    predicted = torch.zeros(1, 3, 1, 2)
    predicted[:, 0] = 0.25
    masks = torch.tensor([[[1.0, 0.0]]])
    # foreground pixel: truth 0; background pixel: truth 0.5. Channel 0 errs by 0.25 + 0.25, the others by 0 + 0.5.
    assert float(background_loss(predicted, frames, masks)) == pytest.approx((0.5 + 0.5 + 0.5) / 6)


def test_background_is_not_weighed():
    frames, predicted = torch.ones(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)
    assert float(background_loss(predicted, frames, mask(1))) == pytest.approx(15 / 16)


def test_masked_pixels_become_mid_grey():
    frames, masks = torch.full((1, 3, 4, 4), -0.7), mask(3)
    inside = masks[:, None].expand_as(frames) > 0
    assert (foreground_of(frames, masks)[~inside] == 0).all()
    assert (background_of(frames, masks)[inside] == 0).all()
    assert torch.equal(foreground_of(frames, masks) + background_of(frames, masks), frames)


def test_feature_loss_is_a_mean_of_squares():
    predicted, target = torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 4.0]])
    assert float(feature_loss(predicted, target)) == pytest.approx((1 + 4) / 2)


@pytest.fixture
def batch():
    """Clip, masks and a perfect reconstruction; first and last frame have different masks."""
    generator = torch.Generator().manual_seed(0)
    clip = torch.randn(2, 3, 5, 4, 4, generator=generator)
    masks = torch.zeros(2, 5, 4, 4)
    masks[:, 0], masks[:, -1] = mask(3), mask(6)
    return clip, masks


def test_perfect_reconstruction_has_no_loss(batch):
    clip, masks = batch
    features = torch.randn(2, 4, 1, 1)
    losses = disentangling_losses(Disentangled(truth(clip, masks), features, PARTS), clip, masks, features)
    assert [float(term) for term in losses] == [0.0] * 4


@pytest.mark.parametrize("spoiled", Reconstruction._fields)
def test_each_frame_is_held_against_its_own_truth(batch, spoiled):
    clip, masks = batch
    wrong = truth(clip, masks)._replace(**{spoiled: torch.zeros(2, 3, 4, 4)})
    features = torch.zeros(2, 4, 1, 1)
    losses = disentangling_losses(Disentangled(wrong, features, PARTS), clip, masks, features)._asdict()
    assert float(losses.pop(spoiled)) > 0
    assert [float(term) for term in losses.values()] == [0.0] * 3


def test_truth_is_of_the_first_and_the_last_frame(batch):
    clip, masks = batch
    true = truth(clip, masks)
    assert torch.equal(true.first_foreground, clip[:, :, 0] * masks[:, :1])
    assert torch.equal(true.first_background, clip[:, :, 0] * (1 - masks[:, :1]))
    assert torch.equal(true.last_foreground, clip[:, :, 4] * masks[:, 4:])


def test_weights_scale_the_terms_and_the_papers_are_one():
    losses = DisentanglingLosses(*(torch.tensor(value) for value in (1.0, 2.0, 4.0, 8.0)))
    assert losses.weighted(LossWeights()) == 15
    assert losses.weighted(LossWeights(0.5, 0, 3, 0.25)) == 0.5 + 0 + 12 + 2
    assert losses.reconstruction == 7  # without weights: by it, runs with different ones compare


def test_mask_loss_by_hand():
    """One pixel of four, W = 3: undecided everywhere, then sure of it and of one other, which is wrong."""
    masks = torch.stack([mask(1, 2), mask(0, 2)], 1)  # the second is empty
    assert float(mask_loss(torch.zeros(1, 2, 2, 2), masks)) == pytest.approx((3 + 3) * math.log(2) / 8)
    sure = torch.tensor([9.0, 9.0, -9.0, -9.0]).view(1, 1, 2, 2).expand(1, 2, 2, 2)
    assert float(mask_loss(sure, masks)) == pytest.approx(9 / 8, abs=1e-3)


def test_an_empty_mask_teaches_nothing():
    logits = torch.randn(1, 2, 4, 4, requires_grad=True)
    mask_loss(logits, torch.stack([mask(0), mask(5)], 1)).backward()
    assert logits.grad is not None
    assert not logits.grad[:, 0].any()
    assert logits.grad[:, 1].all()


@pytest.mark.parametrize("weights", [(-1, 1, 1, 1), (1, float("nan"), 1, 1), (1, 1, float("inf"), 1), (0, 0, 0, 0)])
def test_weights_that_teach_nothing_are_refused(weights):
    with pytest.raises(ValueError, match="finite number of at least 0, and one above 0"):
        LossWeights(*weights)
