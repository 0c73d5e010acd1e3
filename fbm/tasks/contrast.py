"""Contrastive pretraining: two clips of a video are alike, clips of other videos are not (SimCLR's NT-Xent)."""

from typing import Literal

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.nn.functional import all_gather as all_gather_with_gradient
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from fbm.data.batch import ClipBatch, Windows
from fbm.models.contrastive import ContrastiveNetwork, Embedded, nt_xent
from fbm.models.encoder import Encoder
from fbm.tasks.frames import random_scores
from fbm.tasks.task import MakeOptimizer, MakeSchedule, PretrainingTask
from fbm.utils.errors import UserError

BLOCK = 1024  # anchors of an evaluation that are compared with all clips at a time


class Contrast(PretrainingTask):
    """Minimises NT-Xent over two windows of each video, among the clips of all ranks.

    Logs the loss and `SPLIT/top1`, the share of clips whose most similar clip is the other one of their sample: in
    training among the clips of a step, on val and test among those of the whole split, so that neither the batch nor
    ranks matter there.

    Args:
        encoder, optimizer, schedule: see `Task`.
        temperature: of the similarities.
        dim, hidden: see `ContrastiveNetwork`.
        background: "paste" puts the foreground of each sample's first clip, by its masks, on a clip of another sample
            of the step (FAME, Ding et al., 2022), in training. A clip without any foreground stays as it is.
        seed: of the choice of these clips.

    Raises:
        ValueError: `temperature` is not above 0, or the network cannot be made.
    """

    windows = Windows(2)

    def __init__(
        self,
        encoder: Encoder,
        optimizer: MakeOptimizer,
        schedule: MakeSchedule | None = None,
        temperature: float = 0.1,
        dim: int = 128,
        hidden: int | None = None,
        background: Literal["paste"] | None = None,
        seed: int = 0,
    ) -> None:
        if temperature <= 0:
            raise ValueError(f"temperature={temperature} must be above 0")
        network = ContrastiveNetwork(encoder, dim, hidden)
        super().__init__(network, optimizer, schedule, split_metrics("loss", temperature))
        self.temperature = temperature
        self.background = background
        self.seed = seed
        if background == "paste":
            self.mask_frames = None

    def loss_terms(self, batch: ClipBatch) -> dict[str, Tensor]:
        if self.background == "paste" and self.training:
            batch = self.pasted(batch)
        loss, found = nt_xent_of_ranks(self.embedded(batch), self.windows.clips, self.temperature)
        return {"loss": loss, "top1": found}

    def evaluate(self, batch: ClipBatch, split: str) -> None:
        own = self.embedded(batch)
        for name in (f"{split}/loss", f"{split}/top1"):
            self.log_metric(name, own, bar=name == "val/loss")

    def embedded(self, batch: ClipBatch) -> Embedded:
        """The embeddings of a batch's clips, 2B of them."""
        return embedded(self.network(self.inputs(batch)[0]), batch)

    def pasted(self, batch: ClipBatch) -> ClipBatch:
        """The batch with the foregrounds of the first clips on other backgrounds.

        The samples of all ranks stand in a circle, in an order drawn from (seed, epoch, sample): each has its
        background from the next one, so the number of ranks changes nothing.
        """
        frames, masks = batch.frames[:, 0], batch.masks[:, 0].bool()  # B T H W 3 and B T H W
        samples, others = _gathered(batch.sample), _gathered(frames.contiguous())
        circle = random_scores(self.seed, self.current_epoch, samples, 1)[:, 0].argsort()
        place = (samples[circle] == batch.sample[:, None]).long().argmax(1)
        background = others[circle[(place + 1) % len(circle)]]
        kept = masks | ~masks.flatten(1).any(1)[:, None, None, None]
        first = torch.where(kept[..., None], frames, background)
        return batch._replace(frames=torch.cat([first[:, None], batch.frames[:, 1:]], 1))


def embedded(rows: Tensor, batch: ClipBatch) -> Embedded:
    """Embeddings `N D` of a batch's windows, a sample's together, with where each is from."""
    windows = len(rows) // len(batch.sample)
    view = torch.arange(windows, device=rows.device).repeat(len(batch.sample))
    sample, video = (field.repeat_interleave(windows) for field in (batch.sample, batch.video))
    return Embedded(rows, sample, view, video)


def nt_xent_of_ranks(own: Embedded, windows: int, temperature: float) -> tuple[Tensor, Tensor]:
    """Mean NT-Xent of this rank's clips among those of all ranks, and the share whose positive is found: scalars.

    Args:
        own: the clips of this rank.
        windows: clips of a sample.
        temperature: divides the similarities.

    Raises:
        UserError: all clips are of one sample.
    """
    keys = Embedded(_gathered(own.rows), *_gathered(torch.stack(own[1:], 1)).unbind(1))
    if len(keys.sample) <= windows:
        raise UserError("a contrastive loss compares clips of different videos: data.batch_size must be at least 2")
    loss, found = nt_xent(own, keys, temperature)
    return loss.mean(), found.float().mean()


def _gathered(rows: Tensor) -> Tensor:
    """The rows of all ranks, rank by rank, with gradients to each; all ranks have equally many."""
    if not (dist.is_available() and dist.is_initialized()):
        return rows
    gathered: tuple[Tensor, ...] = all_gather_with_gradient(rows)
    return torch.cat(gathered)


def split_metrics(loss: str, temperature: float) -> dict[str, Metric]:
    """NT-Xent, logged under this name, and `top1` among all clips of val and of test."""
    metrics: dict[str, Metric] = {}
    for split in ("val", "test"):
        metrics |= {f"{split}/{loss}": SplitLoss(temperature), f"{split}/top1": SplitTop1(temperature)}
    return metrics


class SplitLoss(Metric):
    """Mean NT-Xent among all clips of a split."""

    full_state_update = False

    rows: list[Tensor]
    sample: list[Tensor]
    view: list[Tensor]
    video: list[Tensor]

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature
        for state in Embedded._fields:
            self.add_state(state, default=[], dist_reduce_fx="cat")

    def update(self, clips: Embedded) -> None:
        """Add clips, each sample's together."""
        for state, values in clips._asdict().items():
            getattr(self, state).append(values.detach())

    def compute(self) -> Tensor:
        """A scalar."""
        return self._compared()[0].mean()

    def _compared(self) -> tuple[Tensor, Tensor]:
        """Loss, and whether the positive is found, of every clip."""
        clips = Embedded(*(dim_zero_cat(getattr(self, state)) for state in Embedded._fields))
        starts = range(0, len(clips.sample), BLOCK)
        blocks = [Embedded(*(field[start : start + BLOCK] for field in clips)) for start in starts]
        losses, found = zip(*(nt_xent(block, clips, self.temperature) for block in blocks), strict=True)
        return torch.cat(losses), torch.cat(found)


class SplitTop1(SplitLoss):
    """Share of the clips whose most similar clip in the split, those of other samples of its video left out, is the
    other one of their sample."""

    higher_is_better = True

    def compute(self) -> Tensor:
        """A scalar in [0, 1]."""
        return self._compared()[1].float().mean()
