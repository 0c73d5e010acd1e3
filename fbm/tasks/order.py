"""Clip order prediction (VCOP, Xu et al., 2019) as a baseline: sort the shuffled clips of a video."""

import torch.nn.functional as F
from torch import Tensor

from fbm.data.batch import ClipBatch, Windows
from fbm.models.clip_order import ClipOrderNetwork
from fbm.models.encoder import Encoder
from fbm.tasks.frames import random_scores
from fbm.tasks.task import MakeOptimizer, MakeSchedule, PretrainingTask


class ClipOrder(PretrainingTask):
    """Minimises the cross entropy of the order in which N windows of a video are seen.

    The order is drawn for each sample in each epoch, on val and test once. Logs the loss and `SPLIT/top1`, the share of
    orders that are found; 1/N! is chance. In videos shorter than N clips with the intervals between them, windows
    overlap, and the order can be seen from frames that two of them share.

    Args:
        encoder, optimizer, schedule: see `Task`.
        clips: N; 3 in the paper.
        interval: frames between two clips; 8 in the paper.
        hidden: see `ClipOrderNetwork`.
        seed: of the orders.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        encoder: Encoder,
        optimizer: MakeOptimizer,
        schedule: MakeSchedule | None = None,
        clips: int = 3,
        interval: int = 8,
        hidden: int = 512,
        seed: int = 0,
    ) -> None:
        if interval < 0:
            raise ValueError(f"interval={interval} must be at least 0")
        super().__init__(ClipOrderNetwork(encoder, clips, hidden), optimizer, schedule)
        self.network: ClipOrderNetwork
        self.windows = Windows(clips, interval)
        self.seed = seed

    def loss_terms(self, batch: ClipBatch) -> dict[str, Tensor]:
        epoch = self.current_epoch if self.training else 0
        order = random_scores(self.seed, epoch, batch.sample, 1)[:, 0] % len(self.network.orders)
        logits = self.network(self.inputs(batch)[0], order)
        return {"loss": F.cross_entropy(logits, order), "top1": (logits.argmax(1) == order).float().mean()}
