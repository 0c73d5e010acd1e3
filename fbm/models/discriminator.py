"""The adversary of the reconstructions (Mathieu et al., 2016). Frames are `B 3 H W` float in [-1, 1]."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from fbm.models.layers import init_weights

SLOPE = 0.2  # of the leaky ReLU
NUM_DOWNSAMPLINGS = (
    3  # convolutions that halve a picture: a patch's answer stands for 22 x 22 pixels, with the last convolution 38
)


class PatchDiscriminator(nn.Module):
    """Says of every patch of a picture whether it is true, at several sizes of the picture.

    It is shown the clip's first frame beside the picture, as Mathieu's is shown the frames before: what is plausible
    alone may still not be of this clip. Each size has weights of its own, with spectral norm 1, so that small changes
    of a picture cannot change the answer a lot.

    Args:
        width: channels of the first convolution; each further one has twice as many.
        scales: sizes looked at, each half of the one before.
    """

    def __init__(self, width: int, scales: int) -> None:
        super().__init__()
        self.scales = nn.ModuleList(_patches(width) for _ in range(scales))

    def forward(self, first_frame: Tensor, picture: Tensor) -> list[Tensor]:
        """Logits `B h w` for each size, above 0 where a patch is taken for true."""
        shown, answers = torch.cat([first_frame, picture], dim=1), []
        for scale in self.scales:
            answers.append(scale(shown).squeeze(1))
            shown = F.avg_pool2d(shown, 2)
        return answers


def _patches(width: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    channels = [6, *(width * 2**number for number in range(NUM_DOWNSAMPLINGS))]
    for inputs, outputs in pairwise(channels):
        layers += [nn.Conv2d(inputs, outputs, 4, stride=2, padding=1), nn.LeakyReLU(SLOPE, inplace=True)]
    network = nn.Sequential(*layers, nn.Conv2d(channels[-1], 1, 3, padding=1))
    init_weights(network)
    for layer in network:
        if isinstance(layer, nn.Conv2d):
            spectral_norm(layer)
    return network
