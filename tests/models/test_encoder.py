import re
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from fbm.models.autoencoder import Autoencoder
from fbm.models.classifier import Classifier
from fbm.models.contract import checked_encoder
from fbm.models.disentangler import Disentangler
from fbm.models.encoder import C3DEncoder, Encoder
from fbm.models.layers import maxpool_relu
from fbm.utils.errors import UserError
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
    made, expected = maxpool_relu(2)(pooled), nn.functional.max_pool3d(before.relu(), 2)
    assert torch.equal(made, expected)
    for result in (made, expected):
        result.square().sum().backward()
    assert pooled.grad is not None
    assert before.grad is not None
    assert torch.equal(pooled.grad, before.grad)


# --- an encoder of a user's own


class Own(Encoder):
    """The least that an encoder is: what `Encoder` names, and one convolution."""

    def __init__(self, channels: int = 12, stride: int = 32, **attributes: object) -> None:
        super().__init__()
        self.frames, self.size = 8, max(32, stride)
        self.feature_shape = (channels, self.size // stride, self.size // stride)
        self.layer = nn.Conv2d(3, channels, stride, stride=stride)
        self.frozen = nn.BatchNorm2d(3).eval()
        for name, value in attributes.items():
            setattr(self, name, value)

    def forward(self, clip: Tensor) -> Tensor:
        features: Tensor = self.layer(self.frozen(clip.mean(2)))
        return features


class Twice(Own):
    def forward(self, clip: Tensor) -> Tensor:
        return (super().forward(clip),) * 2  # type: ignore[return-value]


class Whole(Own):
    def forward(self, clip: Tensor) -> Tensor:
        return super().forward(clip).long()


class Wrong(Own):
    def forward(self, clip: Tensor) -> Tensor:
        return super().forward(clip[:, 0])


class Lacking(Own):
    def __init__(self, name: str) -> None:
        super().__init__()
        delattr(self, name)


def fails() -> Encoder:
    raise KeyError("layers")


def test_any_module_that_keeps_the_contract_is_an_encoder_of_every_task():
    encoder = checked_encoder(Own, 8, 32)
    assert encoder.training
    assert isinstance(encoder, Own)
    assert not encoder.frozen.training  # as it was made
    clip = torch.zeros(2, 3, 8, 32, 32)
    assert Classifier(encoder, 5)(clip).shape == (2, 5)
    assert Autoencoder(encoder)(clip).shape == (2, 3, 8, 32, 32)
    assert Disentangler(encoder)(clip).reconstruction.last_foreground.shape == (2, 3, 32, 32)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (nn.Identity, "Identity .* derive it from fbm.models.encoder.Encoder"),
        (partial(Lacking, "frames"), "Lacking has no attribute frames"),
        (partial(Lacking, "size"), "no attribute size"),
        (partial(Lacking, "feature_shape"), "no attribute feature_shape"),
        (partial(Own, feature_shape=[12, 1, 1]), r"feature_shape=\[12, 1, 1\] .*: it should be a tuple of three"),
        (partial(Own, feature_shape=(12, 1)), r"feature_shape=\(12, 1\) .*: it should be a tuple of three"),
        (partial(Own, feature_shape=(12, 1, 0.5)), "three whole numbers above 0"),
        (partial(Own, size="32"), "size='32' .*: it should be a whole number above 0"),
        (partial(Own, norm="layer"), "norm='layer': it should be 'batch' or 'group'"),
        (partial(Own, frames=16), "frames=16, .* data.clip_frames=8"),
        (partial(Own, size=64), "size=64, .* data.size=32"),
        (partial(Own, feature_shape=(11, 1, 1)), r"\(1, 12, 1, 1\) for a clip .* \(1, 11, 1, 1\)"),
        (Twice, "Twice returns tuple for a clip: .* one float tensor B C h w"),
        (Whole, "Whole returns torch.int64"),
        (Wrong, r"Wrong .* a clip of shape \(1, 3, 8, 32, 32\) .*ValueError.*test_encoder.py:\d+\)"),
        (fails, r"it cannot be made: KeyError: 'layers' \(.*test_encoder.py:\d+\)"),
    ],
)
def test_what_is_missing_or_wrong_is_said_before_anything_is_trained(make, said):
    with pytest.raises(UserError, match=f"^encoder: .*{said}"):
        checked_encoder(make, 8, 32)


@pytest.mark.parametrize("kind", [Disentangler, Autoencoder])
@pytest.mark.parametrize("stride", [2, 4, 8, 16, 64])
def test_decoders_follow_any_power_of_two(kind, stride):
    encoder = Own(stride=stride)
    size = encoder.size
    out = kind(encoder)(torch.zeros(2, 3, 8, size, size))
    if kind is Autoencoder:
        assert out.shape == (2, 3, 8, size, size)
    else:
        assert [tuple(frame.shape) for frame in out.reconstruction] == [(2, 3, size, size)] * 3


@pytest.mark.parametrize("kind", [Disentangler, Autoencoder])
@pytest.mark.parametrize("shape", [(12, 3, 3), (12, 2, 1), (12, 32, 32), (12, 64, 64)])
def test_features_that_no_doubling_takes_to_the_frames_size_are_refused(kind, shape):
    with pytest.raises(ValueError, match=re.escape(f"feature_shape={shape}")):
        kind(Own(feature_shape=shape))


def test_features_without_three_channels_have_no_three_parts():
    with pytest.raises(ValueError, match=r"3 feature channels or more, not feature_shape=\(2, 1, 1\)"):
        Disentangler(Own(channels=2))
    Classifier(Own(channels=2), 5)


@pytest.mark.parametrize("frames", [1, 5, 6, 12, 16, 24])
def test_a_clip_decoder_makes_any_number_of_frames(frames):
    assert Autoencoder(Own(frames=frames))(torch.zeros(2, 3, frames, 32, 32)).shape == (2, 3, frames, 32, 32)
