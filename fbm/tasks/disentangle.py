"""The paper's pretraining: first foreground, first background and, moved by the motion, the last foreground."""

import torch
from torch import Tensor, nn

from fbm.batch import ClipBatch
from fbm.losses import DisentanglingLosses, disentangling_losses, truth
from fbm.models.disentangler import Disentangler, Reconstruction
from fbm.models.encoder import C3DEncoder
from fbm.tasks.metrics import ReconstructionQuality
from fbm.tasks.task import MakeOptimizer, MakeSchedule, Pictures, PretrainingTask, stacked


class Disentangle(PretrainingTask):
    """Minimises L_total, equation (7).

    On val and test it also logs how good the pictures are, see `ReconstructionQuality`.

    Args:
        encoder, optimizer, schedule: see `Task`.
        kernels: channels of the cross convolution; None takes the paper's proportion (48 at width 64).
        decoder_width: of the frame decoders; None takes the encoder's, as the paper does.
    """

    masked = (0, -1)

    def __init__(
        self,
        encoder: C3DEncoder,
        optimizer: MakeOptimizer,
        schedule: MakeSchedule | None = None,
        kernels: int | None = None,
        decoder_width: int | None = None,
    ) -> None:
        super().__init__(
            Disentangler(encoder, kernels, decoder_width), optimizer, schedule, DisentanglingLosses._fields
        )
        self.network: Disentangler
        self.quality = nn.ModuleDict({split: ReconstructionQuality() for split in ("val", "test")})

    def terms(self, batch: ClipBatch) -> dict[str, Tensor]:
        return _named(self._learn(*self.inputs(batch))[0])

    def evaluate(self, batch: ClipBatch, split: str) -> None:
        clip, masks = self.inputs(batch)
        losses, reconstruction = self._learn(clip, masks)
        self.log_terms(split, _named(losses), len(clip))
        quality = self.quality[split]
        assert isinstance(quality, ReconstructionQuality)
        quality.update(reconstruction, truth(clip, masks), masks)
        for name, metric in quality.named().items():
            self.log(f"{split}/{name}", metric)

    @torch.no_grad()
    def pictures(self, batch: ClipBatch) -> Pictures:
        clip, masks = self.inputs(batch)
        titles = ("first foreground", "first background", "last foreground")
        return Pictures(titles, stacked(self.network(clip).reconstruction), stacked(truth(clip, masks)))

    def _learn(self, clip: Tensor, masks: Tensor) -> tuple[DisentanglingLosses, Reconstruction]:
        target = self.network.last_foreground_target(clip)
        out = self.network(clip)
        return disentangling_losses(out, clip, masks, target), out.reconstruction


def _named(losses: DisentanglingLosses) -> dict[str, Tensor]:
    return {"loss": losses.total, **losses._asdict()}
