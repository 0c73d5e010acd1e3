"""Building blocks that the networks share. Tensors are `B C T H W` (3D) or `B C H W` (2D), float."""

import math
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise, product
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.utils import _triple

# How a layer is normalised: `batch` over all samples of a step, as the paper does; `group` within each sample, so that
# neither the batch's size nor ranks nor evaluation make a difference.
Norm = Literal["batch", "group"]

# How the last layer of a decoder begins: `xavier` as in the paper, or at `zero`, so that all frames begin as mid grey.
# A random picture is far from any frame, and networks that began so stayed at grey longer (experiments/norms).
OutputInit = Literal["xavier", "zero"]

# "Batch norm, eps 1e-5, running-average decay 0.9" of the reference; torch counts momentum the other way round.
EPS, MOMENTUM = 1e-5, 0.1
GROUPS = 8  # of channels, in group norm; fewer where the channels cannot be divided by it
CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}  # the layout by the number of axes
NORMS = (nn.modules.batchnorm._BatchNorm, nn.GroupNorm)  # the classes that `norm3d` and `norm2d` make


def norm3d(channels: int, norm: Norm) -> nn.Module:
    """Batch or group norm of a 3D map."""
    return group_norm(channels) if norm == "group" else nn.BatchNorm3d(channels, eps=EPS, momentum=MOMENTUM)


def norm2d(channels: int, norm: Norm) -> nn.Module:
    """Batch or group norm of a 2D map."""
    return group_norm(channels) if norm == "group" else nn.BatchNorm2d(channels, eps=EPS, momentum=MOMENTUM)


def group_norm(channels: int) -> nn.GroupNorm:
    """Group norm in `GROUPS` groups, or in the largest divisor of it that divides the channels."""
    return nn.GroupNorm(math.gcd(GROUPS, channels), channels, eps=EPS)


def has_bias(norm: Norm) -> bool:
    """Whether a convolution in front of this norm has a bias.

    Batch norm takes the mean of each channel away and a bias with it, after three passes through memory for nothing.
    Group norm takes away that of several channels together, and leaves how their biases differ.
    """
    return norm != "batch"


def conv3d(inputs: int, outputs: int, norm: Norm) -> nn.Sequential:
    """3x3x3 convolution, same padding, norm, ReLU."""
    return nn.Sequential(*conv3d_norm(inputs, outputs, norm), nn.ReLU(inplace=True))


def conv3d_norm(inputs: int, outputs: int, norm: Norm) -> nn.Sequential:
    """The same without ReLU, for what is pooled: `maxpool_relu` has it."""
    return nn.Sequential(nn.Conv3d(inputs, outputs, 3, padding=1, bias=has_bias(norm)), norm3d(outputs, norm))


def maxpool_relu(kernel: int | tuple[int, int, int]) -> nn.Sequential:
    """Max pooling, then ReLU: the same values and gradients as in the other order, with 4 to 8 times fewer to do."""
    return nn.Sequential(MaxPool3d(kernel), nn.ReLU(inplace=True))


class MaxPool3d(nn.MaxPool3d):
    """Max pooling of whole windows side by side, which also learns where results must repeat bit for bit.

    On a GPU torch's own adds up gradients in an order that changes, and older versions refuse to when deterministic
    algorithms are asked for. `max_of_windows` has none to add up; it is slower.
    """

    def forward(self, maps: Tensor) -> Tensor:
        if torch.are_deterministic_algorithms_enabled() and maps.device.type != "cpu":
            time, height, width = _triple(self.kernel_size)
            return max_of_windows(maps, (time, height, width))
        pooled: Tensor = super().forward(maps)
        return pooled


def max_of_windows(maps: Tensor, kernel: tuple[int, int, int]) -> Tensor:
    """What `F.max_pool3d` gives, and the same gradients, to the bit: a window's first largest value has them.

    Args:
        maps: `B C T H W`; what does not fill a window at the end of an axis is left out.
        kernel: (T, H, W) of a window.
    """
    time, height, width = kernel
    whole = [size // step * step for size, step in zip(maps.shape[2:], kernel, strict=True)]
    maps = maps[..., : whole[0], : whole[1], : whole[2]]
    places = product(*map(range, kernel))  # within a window, in the order in which torch looks at them
    values = (maps[..., t::time, h::height, w::width] for t, h, w in places)  # views
    most = next(values)
    for value in values:
        most = torch.where((value > most) | value.isnan(), value, most)
    return most


def up3d(inputs: int, outputs: int, stride: tuple[int, int, int], norm: Norm) -> nn.Sequential:
    """Transposed 3x3x3 convolution that multiplies (T, H, W) by `stride`, norm, ReLU."""
    # With padding 1 an axis of n becomes stride * (n - 1) + 1 + output_padding.
    extra = (stride[0] - 1, stride[1] - 1, stride[2] - 1)
    conv = nn.ConvTranspose3d(inputs, outputs, 3, stride=stride, padding=1, output_padding=extra, bias=has_bias(norm))
    return nn.Sequential(conv, norm3d(outputs, norm), nn.ReLU(inplace=True))


def conv2d(inputs: int, outputs: int, kernel: int, norm: Norm) -> nn.Sequential:
    """2D convolution, same padding, norm, ReLU."""
    conv = nn.Conv2d(inputs, outputs, kernel, padding="same", bias=has_bias(norm))
    return nn.Sequential(conv, norm2d(outputs, norm), nn.ReLU(inplace=True))


def up2d(inputs: int, outputs: int, bias: bool = True) -> nn.ConvTranspose2d:
    """Transposed 5x5 convolution that doubles (H, W)."""
    return nn.ConvTranspose2d(inputs, outputs, 5, stride=2, padding=2, output_padding=1, bias=bias)


def init_weights(network: nn.Module, output: nn.Module | None = None) -> None:
    """Xavier (Glorot) uniform weights and zero biases in every convolution and linear layer, in place.

    Kernels are laid out channels last, as `to_input` lays out the clips. The network takes weights of an earlier fbm
    too, see `fold_biases`.

    Args:
        output: a layer of the network whose weights begin at zero, see `OutputInit`.
    """
    for layer in network.modules():
        if isinstance(layer, nn.modules.conv._ConvNd | nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
            if layer.weight.dim() in CHANNELS_LAST:
                layer.weight.data = layer.weight.contiguous(memory_format=CHANNELS_LAST[layer.weight.dim()])
    if output is not None:
        nn.init.zeros_(output.get_parameter("weight"))
    register: Any = network.register_load_state_dict_pre_hook  # torch leaves it untyped
    register(_fold)


def fold_biases(network: nn.Module, weights: dict[str, Any], prefix: str = "") -> None:
    """Make weights, in place, fit a network that has no biases in front of batch norms where they have them.

    An earlier fbm had such biases. In evaluation they shift what is normalised, so the running mean takes them over:
    the network computes the same.

    Args:
        weights: by name, as in a checkpoint.
        prefix: of the network's names among them.
    """
    for name, sequence in network.named_modules(prefix=prefix.removesuffix(".")):
        layers = sequence.named_children() if isinstance(sequence, nn.Sequential) else ()
        for (number, layer), (following, _) in pairwise(layers):
            bias, mean = (f"{name}.{own}".removeprefix(".") for own in (f"{number}.bias", f"{following}.running_mean"))
            if bias in weights and mean in weights and getattr(layer, "bias", bias) is None:
                weights[mean] = weights[mean] - weights.pop(bias)


def _fold(network: nn.Module, weights: dict[str, Any], prefix: str, *_: Any) -> None:
    fold_biases(network, weights, prefix)


def without_autocast(device: torch.device) -> AbstractContextManager[Any]:
    """What is computed inside keeps the precision of its tensors, also where training is in mixed precision."""
    known = torch.amp.is_autocast_available(device.type)  # not of torch's meta device
    return torch.autocast(device.type, enabled=False) if known else nullcontext()


def to_input(frames: Tensor) -> Tensor:
    """uint8 frames `B T H W C` to the network's `B C T H W` float in [-1, 1], x / 255 * 2 - 1 (section 4).

    The result is a view with the channels last in memory: the layout in which 3D convolutions are fastest.
    """
    return frames.permute(0, 4, 1, 2, 3).float().mul_(2 / 255).sub_(1)
