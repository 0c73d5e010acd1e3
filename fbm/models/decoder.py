"""From feature maps `B C h w` to frames `B 3 H W`, clips `B 3 T H W` and kernels `B K K h w`.

Frames and clips are in [-1, 1]. How often a decoder doubles height and width follows from the two shapes.
"""

from torch import Tensor, nn

from fbm.models.layers import Norm, OutputInit, conv2d, conv3d, has_bias, init_weights, norm2d, norm3d, up2d, up3d


def num_upsamplings(feature_shape: tuple[int, int, int], size: int) -> int:
    """How many times feature maps (C, h, w) are doubled to give frames of `size` pixels.

    Raises:
        ValueError: no number of doublings does.
    """
    _, height, width = feature_shape
    number = (size // height).bit_length() - 1
    if height != width or number < 1 or height * 2**number != size:
        raise ValueError(
            f"the decoders double feature maps until they are as large as the frames: feature_shape={feature_shape} "
            f"does not become {size} x {size} pixels, take h = w = {size}/2, {size}/4 and so on"
        )
    return number


def default_width(channels: int) -> int:
    """Width of the decoders of an encoder's feature channels: an eighth, as in the paper (64 for 512)."""
    return max(1, channels // 8)


class _FrameLayers(nn.Module):
    """A 1x1 convolution and 5x5 stride-2 transposed convolutions, tanh at the end (Figure 1).

    Args:
        channels: of the feature maps.
        width: the paper's 64 gives 1024, 512, 512, 256, 128, 3 channels.
        norm: behind every convolution but the last.
        output_init: of the last convolution.
        upsamplings: transposed convolutions, see `num_upsamplings`; the paper has 5.
    """

    outputs: int  # channels of the last convolution

    def __init__(
        self,
        channels: int,
        width: int,
        norm: Norm = "batch",
        output_init: OutputInit = "xavier",
        upsamplings: int = 5,
    ) -> None:
        super().__init__()
        inputs = 16 * width
        layers: list[nn.Module] = [conv2d(channels, inputs, 1, norm)]
        for remaining in range(upsamplings - 1, 0, -1):
            outputs = min(8, 2**remaining) * width
            layers += [up2d(inputs, outputs, has_bias(norm)), norm2d(outputs, norm), nn.ReLU(inplace=True)]
            inputs = outputs
        output = up2d(inputs, self.outputs)
        self.layers = nn.Sequential(*layers, output, nn.Tanh())
        init_weights(self, output if output_init == "zero" else None)


class FrameDecoder(_FrameLayers):
    """The paper's: the layers are the frame, `B 3 H W` in [-1, 1]."""

    outputs = 3

    def forward(self, features: Tensor) -> Tensor:
        frame: Tensor = self.layers(features)
        return frame


class MaskedFrameDecoder(_FrameLayers):
    """Beyond the paper: a frame with a mask as the fourth channel, by which it is multiplied."""

    outputs = 4

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """The frames `B 3 H W` in [-1, 1], and the logits of their masks, `B H W`."""
        decoded = self.layers[:-1](features)
        logits = decoded[:, 3]
        return decoded[:, :3].tanh() * logits.sigmoid()[:, None], logits


class ClipDecoder(nn.Module):
    """The paper's encoder mirrored: its mapping is undone, then 3x3x3 convolutions and transposed ones for poolings.

    The first transposed convolution makes T / 2^k frames of the features, k being at most 3; the next k double time
    together with height and width, as C3D's poolings halve them. C3D's first pooling keeps time, and so does the last
    doubling here. Any number of frames can be made: k is as large as T and the number of doublings allow.

    Args:
        feature_shape: (C, h, w) of the features.
        clip_shape: (T, H, W) of the clips to make.
        width: channels of the largest maps; None takes `default_width`.
        norm: behind every convolution but the last.
        output_init: of the last convolution.

    Raises:
        ValueError: see `num_upsamplings`.
    """

    TIME_UPSAMPLINGS = 3

    def __init__(
        self,
        feature_shape: tuple[int, int, int],
        clip_shape: tuple[int, int, int],
        width: int | None = None,
        norm: Norm = "batch",
        output_init: OutputInit = "xavier",
    ) -> None:
        super().__init__()
        channels = feature_shape[0]
        frames, size, _ = clip_shape
        w = default_width(channels) if width is None else width
        stages = num_upsamplings(feature_shape, size) - 1  # without the first transposed convolution
        in_time = 0
        while in_time < min(self.TIME_UPSAMPLINGS, stages - 1) and frames % 2 ** (in_time + 1) == 0:
            in_time += 1
        # Channels of each stage, 8w 4w 2w w in the paper, and of what goes into the last convolution.
        widths = [min(8, 2**remaining) * w for remaining in range(stages - 1, -1, -1)] + [w]
        output = nn.Conv3d(w, 3, 3, padding=1)
        layers: list[nn.Module] = [
            nn.ConvTranspose3d(channels, 8 * w, (frames // 2**in_time, 2, 2), stride=(1, 2, 2), bias=has_bias(norm)),
            norm3d(8 * w, norm),
            nn.ReLU(inplace=True),
            conv3d(8 * w, 8 * w, norm),
            conv3d(8 * w, widths[0], norm),
        ]
        for stage in range(stages):
            layers.append(up3d(widths[stage], widths[stage], (2 if stage < in_time else 1, 2, 2), norm))
            if widths[stage] >= 4 * w:
                layers.append(conv3d(widths[stage], widths[stage], norm))
            if stage < stages - 1:
                layers.append(conv3d(widths[stage], widths[stage + 1], norm))
        self.layers = nn.Sequential(*layers, output, nn.Tanh())
        init_weights(self, output if output_init == "zero" else None)

    def forward(self, features: Tensor) -> Tensor:
        clip: Tensor = self.layers(features.unsqueeze(2))
        return clip


class KernelDecoder(nn.Module):
    """Motion features to the cross convolution's kernels, one set per clip: three 3x3 convolutions.

    Args:
        channels: of the motion features.
        kernels: K; each clip gets K x K kernels as large as the feature map. The paper's is 48.
        norm: behind every convolution but the last.
    """

    def __init__(self, channels: int, kernels: int, norm: Norm = "batch") -> None:
        super().__init__()
        self.kernels = kernels
        outputs = kernels * kernels
        self.layers = nn.Sequential(
            conv2d(channels, outputs, 3, norm),
            conv2d(outputs, outputs, 3, norm),
            nn.Conv2d(outputs, outputs, 3, padding=1),
        )
        init_weights(self)

    def forward(self, motion: Tensor) -> Tensor:
        weights: Tensor = self.layers(motion)  # B K*K h w
        return weights.view(len(motion), self.kernels, self.kernels, *weights.shape[-2:])
