"""Contrastive learning: embeddings of clips, and the NT-Xent loss of SimCLR (Chen et al., 2020) between them."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fbm.models.encoder import Encoder
from fbm.models.layers import init_weights, without_autocast


class Embedded(NamedTuple):
    """N clips: their embeddings of length 1, and where each is from."""

    rows: Tensor  # N D float
    sample: Tensor  # N int64; the clips of one sample are each other's positives
    view: Tensor  # N int64, number of the clip in its sample
    video: Tensor  # N int64


class ProjectionHead(nn.Sequential):
    """The mean over space and two layers, which are discarded after pretraining.

    Forward takes features `B C h w` and returns embeddings `B dim` of length 1, in the precision of its weights.

    Args:
        channels: C.
        dim: size of an embedding.
        hidden: width of the hidden layer; None takes `channels`.

    Raises:
        ValueError: a size is below 1.
    """

    def __init__(self, channels: int, dim: int = 128, hidden: int | None = None) -> None:
        if dim < 1 or (hidden is not None and hidden < 1):
            raise ValueError(f"dim={dim} and hidden={hidden} must be at least 1")
        hidden = hidden or channels
        super().__init__(nn.Linear(channels, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, dim))
        init_weights(self)

    def forward(self, features: Tensor) -> Tensor:
        rows = features.mean((2, 3)).to(next(self.parameters()).dtype)
        with without_autocast(features.device):  # similarities of bf16 have two digits
            for layer in self:
                rows = layer(rows)
            return F.normalize(rows, dim=1)


class ContrastiveNetwork(nn.Module):
    """An encoder and a projection head. Forward takes clips `B 3 T H W` and returns embeddings `B dim` of length 1.

    Args:
        encoder: shared with the other tasks.
        dim, hidden: see `ProjectionHead`.
    """

    def __init__(self, encoder: Encoder, dim: int = 128, hidden: int | None = None) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = ProjectionHead(encoder.feature_shape[0], dim, hidden)

    def forward(self, clips: Tensor) -> Tensor:
        embeddings: Tensor = self.head(self.encoder(clips))
        return embeddings


def nt_xent(anchors: Embedded, keys: Embedded, temperature: float) -> tuple[Tensor, Tensor]:
    """The loss of each anchor `N`, and whether its positive is the most similar key, `N` bool.

    Cross entropy of picking the other clip of the anchor's sample among the keys by cosine similarity. The anchor
    itself and other samples of its video are no candidates: they would be false negatives.

    Args:
        anchors: some or all of the keys.
        keys: with each sample twice.
        temperature: divides the similarities.
    """
    same_video = anchors.video[:, None] == keys.video
    positive = (anchors.sample[:, None] == keys.sample) & (anchors.view[:, None] != keys.view)
    with without_autocast(anchors.rows.device):  # see above
        logits = (anchors.rows @ keys.rows.T) / temperature
    logits = logits.masked_fill(same_video & ~positive, -torch.inf)
    of_positive = torch.where(positive, logits, 0).sum(1)
    return logits.logsumexp(1) - of_positive, of_positive >= logits.amax(1)
