"""Building blocks of the networks. Tensors are `B C T H W` (3D) or `B C H W` (2D), float."""

import math
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise, product
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.utils import _triple

from fbm.models.group_norm import GroupNorm

# How a layer is normalised: `batch` over all samples of a step, as the paper does; `group` within each sample, so that
# neither the batch's size nor ranks nor evaluation make a difference.
Norm = Literal["batch", "group"]

# Initialisation of a decoder's last layer: `xavier` as in the paper, or `zero`, with which all frames start mid grey.
# A random picture is far from any frame, and networks that start so stay at grey longer (experiments/norms).
OutputInit = Literal["xavier", "zero"]

# "Batch norm, eps 1e-5, running-average decay 0.9" of the reference; torch's momentum is 1 - decay.
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


def group_norm(channels: int) -> GroupNorm:
    """Group norm in `GROUPS` groups, or in the largest divisor of it that divides the channels."""
    return GroupNorm(math.gcd(GROUPS, channels), channels, eps=EPS)


def has_bias(norm: Norm) -> bool:
    """Whether a convolution in front of this norm needs a bias.

    Batch norm subtracts the mean of each channel, and a bias with it. Group norm subtracts the mean of several
    channels together, which keeps the differences of their biases.
    """
    return norm != "batch"


def conv3d(inputs: int, outputs: int, norm: Norm) -> nn.Sequential:
    """3x3x3 convolution, same padding, norm, ReLU."""
    return nn.Sequential(*conv3d_norm(inputs, outputs, norm), nn.ReLU(inplace=True))


def conv3d_norm(inputs: int, outputs: int, norm: Norm) -> nn.Sequential:
    """The same without ReLU, to be followed by `maxpool_relu`."""
    return nn.Sequential(nn.Conv3d(inputs, outputs, 3, padding=1, bias=has_bias(norm)), norm3d(outputs, norm))


def maxpool_relu(kernel: int | tuple[int, int, int]) -> nn.Sequential:
    """Max pooling, then ReLU: values and gradients as in the other order, on 4 to 8 times fewer elements."""
    return nn.Sequential(MaxPool3d(kernel), nn.ReLU(inplace=True))


class MaxPool3d(nn.MaxPool3d):
    """Max pooling of windows that do not overlap, which also works with deterministic algorithms on a GPU.

    There torch's backward pass adds gradients in varying order, and older versions refuse to run. `max_of_windows` has
    nothing to add up; it is slower.
    """

    def forward(self, maps: Tensor) -> Tensor:
        if torch.are_deterministic_algorithms_enabled() and maps.device.type != "cpu":
            time, height, width = _triple(self.kernel_size)
            return max_of_windows(maps, (time, height, width))
        pooled: Tensor = super().forward(maps)
        return pooled


def max_of_windows(maps: Tensor, kernel: tuple[int, int, int]) -> Tensor:
    """`F.max_pool3d` bit for bit, gradients included: they go to a window's first largest value.

    Args:
        maps: `B C T H W`; an incomplete window at the end of an axis is left out.
        kernel: (T, H, W) of a window.
    """
    time, height, width = kernel
    whole = [size // step * step for size, step in zip(maps.shape[2:], kernel, strict=True)]
    maps = maps[..., : whole[0], : whole[1], : whole[2]]
    places = product(*map(range, kernel))  # within a window, in the order in which torch looks at them
    values = (maps[..., t::time, h::height, w::width] for t, h, w in places)  # views
    largest = next(values)
    for value in values:
        largest = torch.where((value > largest) | value.isnan(), value, largest)
    return largest


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

    Kernels are channels last in memory, as the clips of `to_input` are. The network also loads weights of earlier fbm
    versions, see `fold_biases`.

    Args:
        output: a layer of the network whose weights are set to zero, see `OutputInit`.
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
    """Convert weights that have biases in front of batch norms, in place, for a network without such biases.

    Earlier fbm versions had them. In evaluation such a bias shifts the input of the norm, so it is subtracted from the
    running mean: the network computes the same.

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
    """Context without mixed precision: operations keep the precision of their tensors."""
    available = torch.amp.is_autocast_available(device.type)  # not on torch's meta device
    return torch.autocast(device.type, enabled=False) if available else nullcontext()


def to_input(frames: Tensor, size: int | None = None) -> Tensor:
    """uint8 frames `B T H W C` to the network's `B C T H W` float in [-1, 1], x / 255 * 2 - 1 (section 4).

    The result is a view with channels last in memory, in which 3D convolutions are fastest.

    Args:
        size: H and W of the result, the middle of larger frames; None takes all.
    """
    frames = frames.permute(0, 4, 1, 2, 3)
    return (frames if size is None else middle(frames, size)).float().mul_(2 / 255).sub_(1)


def middle(pictures: Tensor, size: int) -> Tensor:
    """The middle `size` x `size` pixels of pictures `... H W`, a view."""
    top, left = ((length - size) // 2 for length in pictures.shape[-2:])
    return pictures[..., top : top + size, left : left + size]


def to_pixels(frames: Tensor) -> Tensor:
    """Frames of any shape, float in [-1, 1], to uint8: `to_input` backwards, but for the order of the axes."""
    return frames.float().add(1).mul(127.5).round().clamp(0, 255).byte()
