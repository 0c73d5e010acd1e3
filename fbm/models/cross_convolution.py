"""Cross convolution: each clip's foreground features are convolved with kernels made from its own motion.

The function M of equation (1), the deterministic version of Xue et al. (2016). Maps are `B C h w` float.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fbm.models.layers import Norm, conv2d, init_weights


def cross_convolve(maps: Tensor, kernels: Tensor) -> Tensor:
    """Convolve every sample of a batch with its own kernels, same padding, in one batched matrix product.

    Args:
        maps: `B I h w`.
        kernels: `B O I kh kw`.

    Returns:
        `B O h w`, channels last in memory. For an even kernel the extra padding stands below and to the right, as in
        `padding="same"`.
    """
    (kh, kw), (h, w) = kernels.shape[-2:], maps.shape[-2:]
    top, left = (kh - 1) // 2, (kw - 1) // 2
    padded = F.pad(maps, (left, kw - 1 - left, top, kh - 1 - top))
    patches = F.unfold(padded, (kh, kw))  # B I*kh*kw h*w
    convolved = torch.bmm(kernels.flatten(2), patches).view(len(maps), -1, h, w)
    return convolved.contiguous(memory_format=torch.channels_last)


class CrossConvolution(nn.Module):
    """1x1 convolution to K channels, cross convolution with a learned bias, 1x1 convolution back.

    Args:
        channels: of the foreground features.
        kernels: K, as the `KernelDecoder`'s.
        norm: behind both 1x1 convolutions.
    """

    def __init__(self, channels: int, kernels: int, norm: Norm = "batch") -> None:
        super().__init__()
        self.reduce = conv2d(channels, kernels, 1, norm)
        self.bias = nn.Parameter(torch.zeros(kernels))
        self.restore = conv2d(kernels, channels, 1, norm)
        init_weights(self)

    def forward(self, foreground: Tensor, kernels: Tensor) -> Tensor:
        moved = cross_convolve(self.reduce(foreground), kernels) + self.bias[:, None, None]
        features: Tensor = self.restore(moved)
        return features
