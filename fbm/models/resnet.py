"""R3D-18 and R(2+1)D-18 of Tran et al. (2018), "A Closer Look at Spatiotemporal Convolutions". Clips `B 3 T H W` float.

Both are the 18-layer residual network of He et al. (2016) over space and time:

    stem      3 x 7 x 7, stride 1 x 2 x 2          width channels   T      H/2   W/2
    stage 1   2 blocks of two 3 x 3 x 3            width            T      H/2   W/2
    stage 2   2 blocks, the first with stride 2    2 * width        T/2    H/4   W/4
    stage 3   likewise                             4 * width        T/4    H/8   W/8
    stage 4   likewise                             8 * width        T/8    H/16  W/16

with sizes rounded up. R(2+1)D puts a convolution over space and one over time, with a norm and ReLU between them, in
place of each 3D convolution. The published networks end with a mean over time and space; these keep the spatial map
and take the mean over time alone, so the mean of a feature map is the published feature vector.
"""

from typing import Any

import torch
from torch import Tensor, nn

from fbm.models.encoder import Encoder
from fbm.models.layers import Norm, has_bias, init_weights, norm3d

SPATIAL_STRIDE = 16
STAGES = 4


def conv_norm(
    inputs: int, outputs: int, kernel: tuple[int, int, int], stride: tuple[int, int, int], norm: Norm
) -> list[nn.Module]:
    """Convolution that keeps the size but for its stride, and norm."""
    time, height, width = kernel
    padding = (time // 2, height // 2, width // 2)
    return [
        nn.Conv3d(inputs, outputs, kernel, stride=stride, padding=padding, bias=has_bias(norm)),
        norm3d(outputs, norm),
    ]


class Block(nn.Module):
    """Basic residual block: two 3x3x3 convolutions beside a shortcut, ReLU behind the sum.

    Args:
        inputs, outputs: channels.
        stride: of the first convolution and the shortcut, in time and space.
        norm: behind every convolution.
        factorised: each convolution is one over space, with `middle` channels, and one over time.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, norm: Norm, factorised: bool) -> None:
        super().__init__()
        # M of section 3.5, with which the two have as many weights as the 3x3x3 convolution. As in the published
        # networks both convolutions of a block take that of the first.
        middle = 27 * inputs * outputs // (9 * inputs + 3 * outputs) if factorised else 0
        self.residual = nn.Sequential(
            *_convolution(inputs, middle, outputs, stride, norm),
            nn.ReLU(inplace=True),
            *_convolution(outputs, middle, outputs, 1, norm),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(*conv_norm(inputs, outputs, (1, 1, 1), (stride, stride, stride), norm))

    def forward(self, maps: Tensor) -> Tensor:
        return torch.relu(self.residual(maps) + self.shortcut(maps))


def _convolution(inputs: int, middle: int, outputs: int, stride: int, norm: Norm) -> list[nn.Module]:
    """3x3x3, or with `middle` channels above 0 the (2+1)D pair in its place."""
    if not middle:
        return conv_norm(inputs, outputs, (3, 3, 3), (stride, stride, stride), norm)
    return [
        *conv_norm(inputs, middle, (1, 3, 3), (1, stride, stride), norm),
        nn.ReLU(inplace=True),
        *conv_norm(middle, outputs, (3, 1, 1), (stride, 1, 1), norm),
    ]


class R3D18(Encoder):
    """R3D-18: 33.37 M parameters with a 400-class layer at width 64.

    Features are `B 8*width H/16 W/16` with sizes rounded up: (512, 7, 7) of clips of 16 x 112 x 112, whose maps before
    the mean over time are 2 x 7 x 7. Classification takes frames of any size; the decoders of the pretraining tasks
    need a multiple of 16 pixels.

    Args:
        width: channels of the stem; 64 in the paper.
        frames: T.
        size: H = W in pixels.
        norm: behind every convolution; batch norm in the paper.

    Raises:
        ValueError: `width`, `frames` or `size` is below 1.
    """

    factorised = False

    def __init__(self, width: int, frames: int, size: int, norm: Norm = "batch") -> None:
        super().__init__()
        if min(width, frames, size) < 1:
            raise ValueError(f"{type(self).__name__}: width {width}, frames {frames} and size {size} must be above 0")
        side = -(-size // SPATIAL_STRIDE)
        self.width = width
        self.frames = frames
        self.size = size
        self.norm = norm
        self.mapping_norm = norm
        self.feature_shape = (width * 2 ** (STAGES - 1), side, side)
        self.stem = nn.Sequential(*self._stem(width, norm), nn.ReLU(inplace=True))
        self.stages = nn.ModuleList()
        inputs = width
        for stage in range(STAGES):
            outputs = width * 2**stage
            self.stages.append(
                nn.Sequential(
                    Block(inputs, outputs, 1 if stage == 0 else 2, norm, self.factorised),
                    Block(outputs, outputs, 1, norm, self.factorised),
                )
            )
            inputs = outputs
        init_weights(self)

    def _stem(self, width: int, norm: Norm) -> list[nn.Module]:
        return conv_norm(3, width, (3, 7, 7), (1, 2, 2), norm)

    def forward(self, clip: Tensor) -> Tensor:
        maps: Any = self.stem(clip)  # B 64 T H/2 W/2
        for stage in self.stages:
            maps = stage(maps)
        features: Tensor = maps.mean(2)  # B 512 T/8 H/16 W/16 -> B 512 H/16 W/16
        return features


class R2Plus1D18(R3D18):
    """R(2+1)D-18: 31.51 M parameters with a 400-class layer at width 64; features and arguments as of `R3D18`."""

    factorised = True

    def _stem(self, width: int, norm: Norm) -> list[nn.Module]:
        middle = max(1, 45 * width // 64)  # 45 in the published network
        return [
            *conv_norm(3, middle, (1, 7, 7), (1, 2, 2), norm),
            nn.ReLU(inplace=True),
            *conv_norm(middle, width, (3, 1, 1), (1, 1, 1), norm),
        ]
