"""`GroupNorm` against torch's own."""

import copy

import pytest
import torch
from torch import Tensor, nn

from fbm.models import group_norm
from fbm.models.group_norm import GroupNorm

NARROW = [(8, 8), (16, 8), (32, 8), (6, 2)]  # channels, groups


def maps_of(channels: int, dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(channels)
    maps = torch.randn(3, channels, 4, 5, 6, generator=generator, dtype=dtype) * 2 + 0.5
    return maps.to(memory_format=torch.channels_last_3d)


def layer_of(kind: type[nn.GroupNorm], channels: int, groups: int) -> nn.GroupNorm:
    layer = kind(groups, channels)
    with torch.no_grad():
        layer.weight.copy_(torch.linspace(-1, 2, channels))
        layer.bias.copy_(torch.linspace(1, -1, channels))
    return layer


def results(layer: nn.GroupNorm, maps: Tensor, gradient: Tensor) -> list[Tensor]:
    """Output, and gradients of maps, weight and bias."""
    leaf = maps.detach().clone(memory_format=torch.preserve_format).requires_grad_()
    out = layer(leaf)
    out.backward(gradient)
    assert leaf.grad is not None
    assert layer.weight.grad is not None
    assert layer.bias.grad is not None
    return [out.detach(), leaf.grad, layer.weight.grad, layer.bias.grad]


@pytest.mark.parametrize("gradient_layout", [torch.channels_last_3d, torch.contiguous_format])
@pytest.mark.parametrize(("channels", "groups"), NARROW)
def test_output_is_torchs_bit_for_bit_and_gradients_are_as_exact_as_torchs(channels, groups, gradient_layout):
    maps = maps_of(channels)
    gradient = torch.randn(maps.shape, generator=torch.Generator().manual_seed(1)).to(memory_format=gradient_layout)
    own = layer_of(GroupNorm, channels, groups)
    library = layer_of(nn.GroupNorm, channels, groups)
    assert type(own(maps.clone().requires_grad_()).grad_fn).__name__ == "_NarrowGroupNormBackward"
    exact = results(copy.deepcopy(library).double(), maps.double(), gradient.double())
    found, torchs = results(own, maps, gradient), results(library, maps, gradient)
    assert torch.equal(found[0], torchs[0])
    for mine, theirs, true in zip(found, torchs, exact, strict=True):
        assert mine.stride() == theirs.stride()
        error, allowed = ((value.double() - true).abs().max().item() for value in (mine, theirs))
        assert error <= max(3 * allowed, 1e-6 * true.abs().max().item())


def test_a_frozen_layer_hands_gradients_through():
    layer = layer_of(GroupNorm, 8, 8).requires_grad_(False)
    maps = maps_of(8).requires_grad_()
    layer(maps).square().sum().backward()
    assert maps.grad is not None
    assert maps.grad.any()
    assert layer.weight.grad is None


@pytest.mark.parametrize(
    "maps",
    [
        maps_of(8).contiguous(),  # the channels not last in memory
        maps_of(8, torch.double),
        maps_of(8)[:, :, 0].contiguous(memory_format=torch.channels_last),
        maps_of(64),
        maps_of(8).to("meta"),
    ],
    ids=["contiguous", "double", "2d", "wide", "meta"],
)
def test_other_maps_are_torchs(maps):
    layer = GroupNorm(8, maps.shape[1]).to(device=maps.device, dtype=maps.dtype)
    assert type(layer(maps.requires_grad_()).grad_fn).__name__ == "NativeGroupNormBackward0"


def test_mixed_precision_is_torchs(monkeypatch):
    monkeypatch.setattr(group_norm, "_NarrowGroupNorm", None)
    maps = maps_of(8).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        own, library = GroupNorm(8, 8)(maps), nn.GroupNorm(8, 8)(maps)
    assert own.dtype == library.dtype
    assert torch.equal(own, library)
