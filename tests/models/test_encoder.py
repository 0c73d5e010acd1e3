import pytest
import torch
from torch import nn

from fbm.models.encoder import C3DEncoder
from fbm.models.layers import pool3d
from tests.models.count import millions


def test_paper_size_has_the_papers_parameters_and_shapes():
    with torch.device("meta"):
        encoder = C3DEncoder(width=64, frames=16, size=128)
        features = encoder(torch.empty(2, 3, 16, 128, 128))
    assert millions(encoder) == pytest.approx(29.76, abs=0.005)
    assert features.shape == (2, 512, 4, 4)
    assert encoder.feature_shape == (512, 4, 4)


def test_before_the_mapping_stand_two_frames_of_8_by_8():
    with torch.device("meta"):
        encoder = C3DEncoder(width=64, frames=16, size=128)
        assert encoder.convolutions(torch.empty(1, 3, 16, 128, 128)).shape == (1, 512, 2, 8, 8)


@pytest.mark.parametrize(("width", "frames", "size"), [(8, 16, 64), (4, 8, 32), (4, 32, 64), (2, 16, 96)])
def test_any_width_length_and_size(width, frames, size):
    encoder = C3DEncoder(width, frames, size)
    features = encoder(torch.zeros(2, 3, frames, size, size))
    assert features.shape == (2, 8 * width, size // 32, size // 32) == (2, *encoder.feature_shape)


@pytest.mark.parametrize(("frames", "size"), [(16, 100), (12, 64), (4, 64), (16, 48)])
def test_sizes_that_do_not_divide_are_refused(frames, size):
    with pytest.raises(ValueError, match=f"size {size} must be a multiple of 32, frames {frames} of 8"):
        C3DEncoder(4, frames, size)


def test_every_convolution_has_batch_norm_with_the_references_constants():
    encoder = C3DEncoder(2, 8, 32)
    norms = [layer for layer in encoder.modules() if isinstance(layer, torch.nn.BatchNorm3d)]
    convolutions = [layer for layer in encoder.modules() if isinstance(layer, torch.nn.Conv3d)]
    assert len(norms) == len(convolutions) == 9
    assert {(norm.eps, norm.momentum) for norm in norms} == {(1e-5, 0.1)}


def test_features_depend_on_time_and_on_every_frame():
    torch.manual_seed(0)
    encoder = C3DEncoder(2, 16, 32).eval()
    clip = torch.randn(1, 3, 16, 32, 32, requires_grad=True)
    assert not torch.allclose(encoder(clip), encoder(clip.flip(2)))
    encoder(clip).pow(2).sum().backward()
    assert clip.grad is not None
    assert (clip.grad.abs().amax((0, 1, 3, 4)) > 0).all()


def test_relu_behind_the_pooling_is_relu_before_it():
    maps = torch.randn(3, 4, 4, 8, 8)
    pooled, before = (maps.clone().requires_grad_() for _ in range(2))
    made, expected = pool3d(2)(pooled), nn.functional.max_pool3d(before.relu(), 2)
    assert torch.equal(made, expected)
    for result in (made, expected):
        result.square().sum().backward()
    assert pooled.grad is not None
    assert before.grad is not None
    assert torch.equal(pooled.grad, before.grad)
