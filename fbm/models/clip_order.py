"""Clip order prediction (VCOP, Xu et al., 2019): in which order are shuffled clips of a video?"""

import math
from itertools import combinations, permutations

import torch
from torch import Tensor, nn

from fbm.models.encoder import Encoder
from fbm.models.layers import init_weights, without_autocast

MOST = 5  # clips: 120 orders


class ClipOrderNetwork(nn.Module):
    """Features of every clip, a layer on every pair of them, and a linear layer over the orders (section 3.3).

    The paper's dropout between the last two is left out: what it drops would depend on the number of ranks.

    Args:
        encoder: shared with the other tasks.
        clips: N, 2 to 5, which have N! orders.
        hidden: width of the layer on pairs; the paper's is 512.

    Attributes:
        orders: `N! N N` float: row i of an order is 1 at the clip that comes as the i-th.

    Raises:
        ValueError: `clips` or `hidden` is out of range.
    """

    orders: Tensor

    def __init__(self, encoder: Encoder, clips: int = 3, hidden: int = 512) -> None:
        super().__init__()
        if not 2 <= clips <= MOST or hidden < 1:
            raise ValueError(f"clips={clips} must be from 2 to {MOST}, and hidden={hidden} at least 1")
        self.encoder = encoder
        self.clips = clips
        self.pairs = list(combinations(range(clips), 2))
        self.pair = nn.Sequential(nn.Linear(2 * encoder.feature_shape[0], hidden), nn.ReLU(inplace=True))
        self.linear = nn.Linear(hidden * len(self.pairs), math.factorial(clips))
        for layer in (self.pair, self.linear):
            init_weights(layer)
        orders = torch.eye(clips)[torch.tensor(list(permutations(range(clips))))]
        self.register_buffer("orders", orders, persistent=False)

    def forward(self, clips: Tensor, order: Tensor) -> Tensor:
        """Logits `B N!` over the orders.

        Args:
            clips: `B*N 3 T H W`, N of each video, in order of time.
            order: number of the order in which each video's clips are seen, `B` int64.
        """
        weight = self.linear.weight
        features = self.encoder(clips).mean((2, 3)).to(weight.dtype).view(len(order), self.clips, -1)
        with without_autocast(features.device):
            # A product, whose gradient is deterministic on a GPU; the gradient of indexing would not be.
            seen = self.orders[order].to(weight.dtype) @ features  # B N C
            pairs = [self.pair(seen[:, pair].flatten(1)) for pair in map(list, self.pairs)]
            logits: Tensor = self.linear(torch.cat(pairs, 1))
        return logits
