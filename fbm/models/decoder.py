"""From feature maps `B C h w` to frames `B 3 32h 32w` in [-1, 1], and to kernels `B K K h w`."""

from torch import Tensor, nn

from fbm.models.layers import Norm, OutputInit, conv2d, has_bias, initialise, norm2d, up2d


class FrameDecoder(nn.Module):
    """A 1x1 convolution and five 5x5 stride-2 transposed convolutions, tanh at the end (Figure 1).

    Args:
        channels: of the feature map given.
        width: the encoder's; the paper's 64 gives 1024, 512, 512, 256, 128, 3 channels.
        norm: behind every convolution but the last.
        output_init: of the last convolution.
    """

    def __init__(self, channels: int, width: int, norm: Norm = "batch", output_init: OutputInit = "xavier") -> None:
        super().__init__()
        w = width
        layers: list[nn.Module] = [conv2d(channels, 16 * w, 1, norm)]
        for inputs, outputs in ((16 * w, 8 * w), (8 * w, 8 * w), (8 * w, 4 * w), (4 * w, 2 * w)):
            layers += [up2d(inputs, outputs, has_bias(norm)), norm2d(outputs, norm), nn.ReLU(inplace=True)]
        output = up2d(2 * w, 3)
        self.layers = nn.Sequential(*layers, output, nn.Tanh())
        initialise(self, output if output_init == "zero" else None)

    def forward(self, features: Tensor) -> Tensor:
        frame: Tensor = self.layers(features)
        return frame


class KernelDecoder(nn.Module):
    """Motion features to the cross convolution's kernels, one set a clip: three 3x3 convolutions.

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
        initialise(self)

    def forward(self, motion: Tensor) -> Tensor:
        weights: Tensor = self.layers(motion)  # B K*K h w
        return weights.view(len(motion), self.kernels, self.kernels, *weights.shape[-2:])
