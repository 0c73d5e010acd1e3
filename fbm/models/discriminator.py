"""Discriminator of the reconstructions (Mathieu et al., 2016). Frames are `B 3 H W` float in [-1, 1]."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from fbm.models.layers import init_weights

SLOPE = 0.2  # of the leaky ReLU
NUM_DOWNSAMPLINGS = 3  # strided convolutions; with them a patch is 22 x 22 pixels, with the last convolution 38


class PatchDiscriminator(nn.Module):
    """Classifies every patch of a picture as real or reconstructed, at several scales of the picture.

    It also gets the clip's first frame, as that of Mathieu et al. gets the preceding frames: a plausible picture may
    still not fit the clip. Each scale has its own weights, with spectral norm 1, so that small changes of a picture
    cannot change the logits much.

    Args:
        width: channels of the first convolution; each further one has twice as many.
        scales: their number; each has half the resolution of the one before.
    """

    def __init__(self, width: int, scales: int) -> None:
        super().__init__()
        self.scales = nn.ModuleList(_patches(width) for _ in range(scales))

    def forward(self, first_frame: Tensor, picture: Tensor) -> list[Tensor]:
        """Logits `B h w` for each scale, above 0 where a patch is classified as real."""
        pair = torch.cat([first_frame, picture], dim=1)
        logits = []
        for scale in self.scales:
            logits.append(scale(pair).squeeze(1))
            pair = F.avg_pool2d(pair, 2)
        return logits


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
