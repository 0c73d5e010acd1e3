from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from fbm.models.autoencoder import Autoencoder
from fbm.models.classifier import Classifier
from fbm.models.disentangler import Disentangler
from fbm.models.encoder import C3DEncoder
from fbm.models.group_norm import GroupNorm
from fbm.models.layers import NORMS, MaxPool3d, Norm, init_weights, max_of_windows, norm2d, to_input

CHANNELS_LAST = torch.channels_last_3d


def kernels(network: nn.Module) -> list[torch.Tensor]:
    return [layer.weight for layer in network.modules() if isinstance(layer, nn.Conv3d) and layer.in_channels > 1]


def test_frames_are_scaled_to_minus_one_and_one():
    frames = torch.tensor([0, 51, 127, 255], dtype=torch.uint8).view(1, 1, 2, 2, 1).expand(1, 8, 2, 2, 3)
    clip = to_input(frames)
    assert clip.shape == (1, 3, 8, 2, 2)
    assert clip.dtype == torch.float32
    assert torch.equal(clip, clip[:, :1, :1].expand_as(clip))
    torch.testing.assert_close(clip[0, 0, 0].flatten(), torch.tensor([-1.0, -0.6, 127 / 255 * 2 - 1, 1.0]))


def test_axes_go_where_they_belong_and_the_batch_stays_as_it_was():
    frames = torch.randint(0, 256, (2, 4, 5, 6, 3), dtype=torch.uint8)
    before = frames.clone()
    clip = to_input(frames)
    assert float(clip[1, 2, 3, 4, 5]) == float(frames[1, 3, 4, 5, 2].float() * (2 / 255) - 1)
    assert torch.equal(frames, before)


def test_clips_and_3d_kernels_have_their_channels_last_in_memory():
    clip = to_input(torch.zeros(2, 8, 32, 32, 3, dtype=torch.uint8))
    assert clip.is_contiguous(memory_format=CHANNELS_LAST)
    encoder = C3DEncoder(4, 8, 32)
    assert all(kernel.is_contiguous(memory_format=CHANNELS_LAST) for kernel in kernels(encoder))
    assert encoder.convolutions[0](clip).is_contiguous(memory_format=CHANNELS_LAST)


@pytest.mark.parametrize("norm", ["batch", "group"])
def test_2d_decoders_have_their_channels_last_all_through(norm):
    """Outputs, weights and gradients of every layer, in both passes through the foreground's decoder."""
    torch.manual_seed(0)
    network = Disentangler(C3DEncoder(4, 8, 64, norm, norm))
    layers = {name: layer for name, layer in network.named_modules() if not list(layer.children())}
    layers = {name: layer for name, layer in layers.items() if not name.startswith("encoder")}
    calls: dict[str, int] = dict.fromkeys(layers, 0)

    def look(name: str, maps: torch.Tensor) -> None:
        calls[name] += 1
        assert maps.is_contiguous(memory_format=torch.channels_last), name

    for name, layer in layers.items():
        layer.register_forward_hook(lambda _, __, made, name=name: look(name, made))
    made = network(to_input(torch.randint(0, 256, (2, 8, 64, 64, 3), dtype=torch.uint8)))
    for frames in made.reconstruction:
        look("foreground_decoder.layers.0.0", frames)
    assert {name for name, count in calls.items() if count > 1} == {
        name for name in layers if name.startswith("foreground_decoder")
    }
    sum(frames.square().mean() for frames in made.reconstruction).backward()
    weights = {name: weight for name, weight in network.named_parameters() if weight.dim() == 4}
    assert len(weights) > 10
    for name, weight in weights.items():
        for tensor in (weight, weight.grad):
            assert tensor is not None
            assert tensor.is_contiguous(memory_format=torch.channels_last), name


def test_loading_a_checkpoint_keeps_the_layout():
    encoder = C3DEncoder(4, 8, 32)
    state = {key: value.clone(memory_format=torch.contiguous_format) for key, value in encoder.state_dict().items()}
    assert not state["convolutions.2.0.weight"].is_contiguous(memory_format=CHANNELS_LAST)
    encoder.load_state_dict(state)
    assert all(kernel.is_contiguous(memory_format=CHANNELS_LAST) for kernel in kernels(encoder))


def test_layout_does_not_change_a_result():
    torch.manual_seed(0)
    encoder = C3DEncoder(4, 8, 32).eval()
    clip = to_input(torch.randint(0, 256, (2, 8, 32, 32, 3), dtype=torch.uint8))
    torch.testing.assert_close(encoder(clip), encoder(clip.contiguous()))


def test_weights_are_xavier_and_biases_zero():
    torch.manual_seed(0)
    layer = nn.Conv3d(8, 16, 3)
    init_weights(layer)
    bound = (6 / (8 * 27 + 16 * 27)) ** 0.5
    assert 0.98 * bound < layer.weight.abs().max() <= bound
    assert layer.bias is not None
    assert not layer.bias.any()


@pytest.mark.parametrize(("channels", "groups"), [(64, 8), (36, 4), (6, 2), (21, 1), (8, 8)])
def test_groups_divide_the_channels(channels, groups):
    layer = norm2d(channels, "group")
    assert isinstance(layer, nn.GroupNorm)
    assert layer.num_groups == groups


NETWORKS: dict[str, Callable[[Norm], nn.Module]] = {
    "disentangler": lambda norm: Disentangler(C3DEncoder(4, 8, 32, norm, norm), decoder_norm=norm, motion_norm=norm),
    "autoencoder": lambda norm: Autoencoder(C3DEncoder(4, 8, 32, norm, norm), norm),
    "classifier": lambda norm: Classifier(C3DEncoder(4, 8, 32, norm, norm), 3),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_group_norm_everywhere_leaves_no_batch_norm(name):
    group, batch = (NETWORKS[name](norm) for norm in ("group", "batch"))
    kinds = [[type(layer) for layer in network.modules() if isinstance(layer, NORMS)] for network in (group, batch)]
    assert set(kinds[0]) == {GroupNorm}
    assert GroupNorm not in kinds[1]
    assert len(kinds[0]) == len(kinds[1])


@pytest.mark.parametrize("name", NETWORKS)
def test_with_group_norm_a_clip_does_not_depend_on_the_others_nor_on_training(name):
    torch.manual_seed(0)
    network = NETWORKS[name]("group").double()
    clips = torch.randn(3, 3, 8, 32, 32, dtype=torch.double)

    def results(some: torch.Tensor) -> list[torch.Tensor]:
        return [tensor for tensor in tree_leaves(network(some)) if isinstance(tensor, torch.Tensor)]

    together, alone = results(clips), results(clips[:1])
    evaluated = (network.eval(), results(clips))[1]
    for all_three, one, without in zip(together, alone, evaluated, strict=True):
        torch.testing.assert_close(all_three[:1], one)
        assert torch.equal(all_three, without)


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ({"decoder_norm": "group"}, {"foreground_decoder", "background_decoder"}),
        ({"motion_norm": "group"}, {"kernel_decoder", "cross_convolution"}),
    ],
)
def test_each_part_has_the_norm_that_it_is_given(options, parts):
    network = Disentangler(C3DEncoder(4, 8, 32), **options)
    found = {name.split(".")[0] for name, layer in network.named_modules() if isinstance(layer, nn.GroupNorm)}
    assert found == parts
    encoder = C3DEncoder(4, 8, 32, mapping_norm="group")
    assert [name for name, layer in encoder.named_modules() if isinstance(layer, nn.GroupNorm)] == ["mapping.1"]


# --- biases in front of norms


def in_front_of_norms(network: nn.Module) -> list[nn.Module]:
    """The convolutions that a norm follows."""
    sequences = [list(part) for part in network.modules() if isinstance(part, nn.Sequential)]
    return [layer for part in sequences for layer, norm in pairwise(part) if isinstance(norm, NORMS)]


@pytest.mark.parametrize("name", NETWORKS)
def test_only_in_front_of_batch_norm_there_is_no_bias(name):
    norms: dict[Norm, bool] = {"batch": True, "group": False}
    for norm, none in norms.items():
        network = NETWORKS[name](norm)
        convolutions = in_front_of_norms(network)
        assert len(convolutions) == sum(isinstance(layer, NORMS) for layer in network.modules())
        assert {layer.bias is None for layer in convolutions} == {none}
        others = [layer for layer in network.modules() if isinstance(layer, nn.modules.conv._ConvNd | nn.Linear)]
        assert all(layer.bias is not None for layer in others if layer not in convolutions)


def of_before(name: str) -> nn.Module:
    """A network as it was when all convolutions had biases, after some training."""
    torch.manual_seed(0)
    network = NETWORKS[name]("batch")
    for layer in in_front_of_norms(network):
        assert isinstance(layer, nn.modules.conv._ConvNd)
        layer.bias = nn.Parameter(0.3 * torch.randn(layer.out_channels))
    network.double()
    network(torch.randn(4, 3, 8, 32, 32, dtype=torch.double))
    return network


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_of_before_compute_the_same(name):
    """In training as well, where the biases had no effect and no gradient."""
    before = of_before(name)
    weights = before.state_dict()
    network = NETWORKS[name]("batch").double()
    assert len(network.state_dict()) == len(weights) - len(in_front_of_norms(network))
    given = dict(weights)
    network.load_state_dict(given)
    assert given.keys() == weights.keys()  # what is loaded stays as it is
    clips = torch.randn(4, 3, 8, 32, 32, dtype=torch.double)
    for training in (True, False):
        expected, found = (tree_leaves(one.train(training)(clips)) for one in (before, network))
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, other)
    tree_leaves(before.train()(clips))[0].square().mean().backward()
    gradients = [layer.bias.grad for layer in in_front_of_norms(before) if isinstance(layer.bias, nn.Parameter)]
    assert all(gradient is None or gradient.abs().max() < 1e-9 for gradient in gradients)
    assert any(gradient is not None for gradient in gradients)


def test_weights_that_do_not_fit_are_refused_as_always():
    weights = of_before("classifier").state_dict()
    del weights["encoder.convolutions.0.1.running_mean"]  # the bias cannot go anywhere
    with pytest.raises(RuntimeError, match=r"Missing key.*running_mean(.|\n)*Unexpected key.*convolutions\.0\.0\.bias"):
        NETWORKS["classifier"]("batch").load_state_dict(weights)


# --- pooling


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize(
    ("shape", "kernel"), [((2, 3, 4, 6, 8), (1, 2, 2)), ((2, 3, 4, 6, 8), (2, 2, 2)), ((1, 2, 5, 7, 9), (2, 2, 2))]
)
def test_the_other_pooling_is_torchs_to_the_bit_in_values_and_gradients(kind, last, shape, kernel):
    """With values that occur several times in a window, and zeros of both signs."""
    generator = torch.Generator().manual_seed(0)
    maps = torch.randint(-2, 3, shape, generator=generator).to(kind)
    maps[0, 1, 0, :2, :2] = torch.tensor([[0.0, -0.0], [-0.0, 0.0]])
    layout = CHANNELS_LAST if last else torch.contiguous_format
    found = []
    for pool in (torch.nn.functional.max_pool3d, max_of_windows):
        given = maps.clone(memory_format=layout).requires_grad_()
        pooled = pool(given, kernel)
        pooled.backward(torch.rand(pooled.shape, generator=generator.manual_seed(1)).to(kind))
        found.append((pooled, given.grad))
    (expected, its_gradient), (pooled, gradient) = found
    assert gradient is not None
    assert its_gradient is not None
    assert torch.equal(pooled, expected)
    assert torch.equal(pooled.signbit(), expected.signbit())
    assert torch.equal(gradient, its_gradient)
    assert its_gradient.count_nonzero() == pooled.numel()
    assert pooled.is_contiguous(memory_format=layout)


def test_what_is_no_number_stays_none():
    maps = torch.randn(1, 1, 2, 4, 4)
    maps[0, 0, 0, 0, 1] = torch.nan
    pooled = max_of_windows(maps, (2, 2, 2))
    torch.testing.assert_close(pooled, torch.nn.functional.max_pool3d(maps, 2), equal_nan=True)


@pytest.fixture
def deterministic() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def test_elsewhere_than_on_a_processor_it_takes_the_other_pooling_where_it_must(monkeypatch, deterministic):
    taken: list[tuple[int, ...]] = []

    def watched(maps: torch.Tensor, kernel: tuple[int, int, int]) -> torch.Tensor:
        taken.append(kernel)
        return max_of_windows(maps, kernel)

    monkeypatch.setattr("fbm.models.layers.max_of_windows", watched)
    maps = torch.randn(1, 2, 4, 6, 8)
    pools = (MaxPool3d(2), MaxPool3d((1, 2, 2)))
    assert [pool(maps.to("meta")).shape for pool in pools] == [pool(maps).shape for pool in pools]
    assert taken == [(2, 2, 2), (1, 2, 2)]
    torch.use_deterministic_algorithms(False)
    pools[0](maps.to("meta"))
    assert len(taken) == 2
