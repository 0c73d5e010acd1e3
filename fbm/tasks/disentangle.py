"""The paper's pretraining: first foreground, first background and, moved by the motion, the last foreground."""

import torch
from torch import Tensor

from fbm.batch import ClipBatch
from fbm.losses import disentangling_losses, truth
from fbm.models.disentangler import Disentangler
from fbm.models.encoder import C3DEncoder
from fbm.tasks.task import MakeOptimizer, MakeSchedule, Pictures, PretrainingTask, stacked


class Disentangle(PretrainingTask):
    """Minimises L_total, equation (7).

    Args:
        encoder, optimizer, schedule: see `Task`.
        kernels: channels of the cross convolution; None takes the paper's proportion (48 at width 64).
        decoder_width: of the frame decoders; None takes the encoder's, as the paper does.
    """

    needs_masks = True

    def __init__(
        self,
        encoder: C3DEncoder,
        optimizer: MakeOptimizer,
        schedule: MakeSchedule | None = None,
        kernels: int | None = None,
        decoder_width: int | None = None,
    ) -> None:
        super().__init__(Disentangler(encoder, kernels, decoder_width), optimizer, schedule)
        self.network: Disentangler

    def terms(self, batch: ClipBatch) -> dict[str, Tensor]:
        clip, masks = self.inputs(batch)
        target = self.network.last_foreground_target(clip)
        losses = disentangling_losses(self.network(clip), clip, masks, target)
        return {"loss": losses.total, **losses._asdict()}

    @torch.no_grad()
    def pictures(self, batch: ClipBatch) -> Pictures:
        clip, masks = self.inputs(batch)
        titles = ("first foreground", "first background", "last foreground")
        return Pictures(titles, stacked(self.network(clip).reconstruction), stacked(truth(clip, masks)))
