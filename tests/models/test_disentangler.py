import pytest
import torch
from torch import Tensor

from fbm.models.conditional_target import ConditionalDisentangler, reversed_clip, time_embedding
from fbm.models.disentangler import (
    FOREGROUND_THRESHOLD,
    Disentangled,
    Disentangler,
    Features,
    Reconstruction,
    foreground_shown,
    split_features,
)
from fbm.models.encoder import C3DEncoder
from fbm.models.losses import LossWeights, disentangling_losses
from tests.models.count import millions

THIRD = 10  # of the 32 feature channels at width 4; motion has the last 12
BACKGROUND, FOREGROUND, MOTION = slice(0, THIRD), slice(THIRD, 2 * THIRD), slice(2 * THIRD, None)


@pytest.fixture
def network() -> Disentangler:
    torch.manual_seed(0)
    return Disentangler(C3DEncoder(width=4, frames=16, size=64)).train()


@pytest.fixture
def clip() -> Tensor:
    return torch.randn(3, 3, 16, 64, 64, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def losses(network, clip):
    masks = torch.zeros(3, 16, 64, 64)
    masks[:, :, 16:40, 16:40] = 1
    return disentangling_losses(network(clip), clip, masks, network.foreground_feature_target(clip))


def channel_gradients(network: Disentangler) -> Tensor:
    """Largest gradient of each feature channel's filter, bias and batch norm in the mapping."""
    assert isinstance(network.encoder, C3DEncoder)
    gradients = [parameter.grad for layer in network.encoder.mapping for parameter in layer.parameters()]
    return torch.stack(
        [gradient.abs().reshape(len(gradient), -1).amax(1) for gradient in gradients if gradient is not None]
    )


def test_split_takes_170_170_172_channels():
    features = torch.arange(512.0).view(1, 512, 1, 1)
    parts = split_features(features)
    assert parts.background.flatten().tolist() == list(range(170))
    assert parts.foreground.flatten().tolist() == list(range(170, 340))
    assert parts.motion.flatten().tolist() == list(range(340, 512))


def test_the_papers_size_has_177_million_parameters():
    with torch.device("meta"):
        network = Disentangler(C3DEncoder(width=64, frames=16, size=128))
        out = network(torch.empty(2, 3, 16, 128, 128))
    assert millions(network) == pytest.approx(177, abs=0.5)
    assert network.kernel_decoder.kernels == 48
    assert [tuple(frame.shape) for frame in out.reconstruction] == [(2, 3, 128, 128)] * 3
    assert out.last_foreground_features.shape == (2, 170, 4, 4)


@pytest.mark.parametrize(("width", "frames", "size"), [(8, 16, 64), (4, 8, 32), (4, 32, 32)])
def test_small_sizes(width, frames, size):
    network = Disentangler(C3DEncoder(width, frames, size), kernels=5, decoder_width=2)
    out = network(torch.zeros(2, 3, frames, size, size))
    assert [tuple(frame.shape) for frame in out.reconstruction] == [(2, 3, size, size)] * 3
    assert out.last_foreground_features.shape == (2, 8 * width // 3, size // 32, size // 32)


@pytest.mark.parametrize(
    ("term", "reached"),
    [
        ("first_foreground", FOREGROUND),
        ("first_background", BACKGROUND),
        ("last_foreground", MOTION),
        ("features", MOTION),
    ],
)
def test_each_loss_reaches_the_encoder_through_its_own_channels_alone(network, losses, term, reached):
    """Above all: nothing of the last foreground flows back through the first one's features (section 3)."""
    getattr(losses, term).backward()
    gradients = channel_gradients(network)
    assert len(gradients) == 3  # weight of the convolution, weight and bias of its norm
    assert gradients[:, reached].max() > 0
    gradients[:, reached] = 0
    assert gradients.max() == 0


def test_the_last_foreground_teaches_the_layers_below_by_the_motion(network, losses):
    losses.last_foreground.backward()
    assert network.encoder.convolutions[0][0].weight.grad.abs().max() > 0
    assert network.foreground_decoder.layers[0][0].weight.grad.abs().max() > 0
    assert all(parameter.grad is None for parameter in network.background_decoder.parameters())


def test_one_decoder_serves_both_foregrounds_and_batch_statistics_are_no_way_around_the_block(network, clip):
    """The first foreground's picture must not change with what the last one's features are."""
    first = network(clip).reconstruction.first_foreground
    with torch.no_grad():
        network.cross_convolution.restore[1].bias.fill_(7.0)
    again = network(clip).reconstruction
    assert torch.equal(first, again.first_foreground)


def test_the_feature_target_is_the_reversed_clips_first_foreground_without_gradient(network, clip):
    network.eval()
    target = network.foreground_feature_target(clip)
    assert not target.requires_grad
    with torch.no_grad():
        assert torch.equal(target, split_features(network.encoder(clip.flip(2))).foreground)
        assert not torch.allclose(target, split_features(network.encoder(clip)).foreground)


def test_the_target_has_gradients_on_afterwards(network, clip):
    network.foreground_feature_target(clip)
    assert network(clip).last_foreground_features.requires_grad


def test_motion_decides_the_last_foreground_and_not_the_first(network, clip):
    network.eval()
    with torch.no_grad():
        before = network(clip).reconstruction
        network.kernel_decoder.layers[-1].bias.add_(1.0)
        after = network(clip).reconstruction
    assert torch.equal(before.first_foreground, after.first_foreground)
    assert torch.equal(before.first_background, after.first_background)
    assert not torch.allclose(before.last_foreground, after.last_foreground)


def test_masks_are_predicted_if_that_is_wanted(network, clip):
    assert network(clip).mask_logits is None
    with_masks = Disentangler(C3DEncoder(width=4, frames=16, size=64), predict_masks=True).eval()
    with torch.no_grad():
        before = with_masks(clip)
        list(with_masks.kernel_decoder.parameters())[-1].add_(1.0)  # of the last convolution
        after = with_masks(clip)
    assert before.mask_logits is not None
    assert after.mask_logits is not None
    assert before.mask_logits.shape == (len(clip), 2, 64, 64)
    assert torch.equal(before.mask_logits[:, 0], after.mask_logits[:, 0])
    assert not torch.allclose(before.mask_logits[:, 1], after.mask_logits[:, 1])  # the last one is the motion's


class AsPublished(Disentangler):
    """The forward pass in one piece, as it stood before features could be given from outside."""

    def forward(self, clip: Tensor) -> Disentangled:
        motion, foreground, background = features = split_features(self.encoder(clip))
        moved = self.cross_convolution(foreground.detach(), self.kernel_decoder(motion))
        frames = Reconstruction(
            first_foreground=self.foreground_decoder(foreground),
            first_background=self.background_decoder(background),
            last_foreground=self.foreground_decoder(moved),
        )
        return Disentangled(frames, moved, features)


def two_steps(kind: type[Disentangler], clip: Tensor) -> tuple[list[Tensor], dict[str, Tensor]]:
    torch.manual_seed(0)
    network = kind(C3DEncoder(width=4, frames=16, size=64)).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    masks = torch.zeros(3, 16, 64, 64)
    masks[:, :, 16:40, 16:40] = 1
    losses = []
    for _ in range(2):
        target = network.foreground_feature_target(clip)
        losses.append(disentangling_losses(network(clip), clip, masks, target).weighted(LossWeights()))
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    return losses, network.state_dict()


def test_training_is_bit_for_bit_as_in_one_piece(clip):
    losses, weights = two_steps(Disentangler, clip)
    expected_losses, expected_weights = two_steps(AsPublished, clip)
    assert losses == expected_losses
    assert losses[0] != losses[1]
    assert weights.keys() == expected_weights.keys()
    assert all(torch.equal(weights[name], expected_weights[name]) for name in weights)


def test_parts_of_different_clips_make_one_reconstruction(network, clip):
    network.eval()
    with torch.no_grad():
        own = split_features(network.encoder(clip))
        alone = network(clip).reconstruction
        shifted = Features(own.motion.roll(1, 0), own.foreground, own.background.roll(1, 0))
        mixed = network.reconstruct(shifted).reconstruction
        torch.testing.assert_close(mixed.first_foreground, alone.first_foreground)
        torch.testing.assert_close(mixed.first_background, alone.first_background.roll(1, 0))
        expected = network.foreground_decoder(
            network.cross_convolution(own.foreground, network.kernel_decoder(own.motion.roll(1, 0)))
        )
        torch.testing.assert_close(mixed.last_foreground, expected)


@pytest.mark.parametrize("kind", [Disentangler, ConditionalDisentangler])
@pytest.mark.parametrize("predict_masks", [False, True])
@torch.no_grad()
def test_some_frames_are_those_of_the_whole_reconstruction(kind, predict_masks, clip):
    network = kind(C3DEncoder(width=4, frames=16, size=64), predict_masks=predict_masks).eval()
    features = split_features(network.encoder(clip))
    whole = network.reconstruct(features).reconstruction._asdict()
    for names in (("last_foreground",), ("first_foreground", "first_background"), tuple(whole)):
        made = network.decode(features, names)
        assert tuple(made) == names
        assert all(torch.equal(made[name], whole[name]) for name in names)


def test_a_foreground_shows_where_any_channel_is_far_from_grey():
    frames = torch.zeros(1, 3, 1, 4)
    frames[0, :, 0, 1] = FOREGROUND_THRESHOLD - 0.01
    frames[0, 0, 0, 2], frames[0, 2, 0, 3] = FOREGROUND_THRESHOLD + 0.01, -FOREGROUND_THRESHOLD - 0.01
    assert foreground_shown(frames).tolist() == [[[False, False, True, True]]]


@pytest.fixture
def for_any_frame() -> ConditionalDisentangler:
    torch.manual_seed(0)
    return ConditionalDisentangler(C3DEncoder(width=4, frames=16, size=64)).eval()


@torch.no_grad()
def test_any_frame_can_be_asked_for_and_the_last_is_what_is_meant_without(for_any_frame, clip):
    last, early = torch.full((3,), 15), torch.tensor([1, 7, 15])
    meant, asked, other = (for_any_frame(clip, frame).reconstruction for frame in (None, last, early))
    assert all(torch.equal(a, b) for a, b in zip(meant, asked, strict=True))
    assert torch.equal(meant.first_foreground, other.first_foreground)
    moved = [torch.equal(a, b) for a, b in zip(meant.last_foreground, other.last_foreground, strict=True)]
    assert moved == [False, False, True]


def test_a_network_of_the_last_frame_refuses_another(network, clip):
    with pytest.raises(TypeError):
        network(clip, torch.tensor([1, 2, 3]))


def test_each_frame_has_a_code_of_its_own():
    codes = time_embedding(torch.arange(16), 16)
    assert codes.shape == (16, 8)
    assert codes[0].tolist() == [1.0] * 4 + [0.0] * 4
    apart = torch.cdist(codes, codes) + torch.eye(16)
    assert apart.min() > 0.5
    neighbours = apart.diagonal(1)
    assert neighbours.max() < apart[0].max()  # what is near in time is near in code


def test_backwards_from_the_last_frame_is_the_reversed_clip(clip):
    assert torch.equal(reversed_clip(clip, torch.full((3,), 15)), clip.flip(2))
    taken = reversed_clip(clip, torch.tensor([0, 2, 5]))
    assert torch.equal(taken[0], clip[0])
    assert torch.equal(taken[1], clip[1][:, [2, 1, 0, *range(1, 14)]])
    assert torch.equal(taken[2], clip[2][:, [5, 4, 3, 2, 1, 0, *range(1, 11)]])
