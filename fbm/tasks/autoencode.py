"""The autoencoder baseline: reconstruct the whole clip."""

import torch
from torch import Tensor

from fbm.data.batch import ClipBatch
from fbm.models.autoencoder import Autoencoder
from fbm.models.encoder import Encoder
from fbm.models.layers import Norm, OutputInit
from fbm.tasks.task import MakeOptimizer, MakeSchedule, Pictures, PretrainingTask


class Autoencode(PretrainingTask):
    """Minimises the L1 error over all frames of the clip (section 5).

    Args:
        encoder, optimizer, schedule: see `Task`.
        decoder_norm, output_init: see `Autoencoder`.
    """

    def __init__(
        self,
        encoder: Encoder,
        optimizer: MakeOptimizer,
        schedule: MakeSchedule | None = None,
        decoder_norm: Norm | None = None,
        output_init: OutputInit = "xavier",
    ) -> None:
        if encoder.input != "frames":
            raise ValueError(f"input={encoder.input}: frames cannot be reconstructed from their differences")
        super().__init__(Autoencoder(encoder, decoder_norm, output_init), optimizer, schedule)

    def loss_terms(self, batch: ClipBatch) -> dict[str, Tensor]:
        clip = self.inputs(batch)[0]
        return {"loss": (self.network(clip) - clip).abs().mean()}

    @torch.no_grad()
    def visualize(self, batch: ClipBatch) -> Pictures:
        clip = self.inputs(batch)[0]
        shown = [0, clip.shape[2] // 2, clip.shape[2] - 1]
        frames = [tensor[:, :, shown].transpose(1, 2) for tensor in (self.network(clip), clip)]
        return Pictures(("first frame", "middle frame", "last frame"), *frames)
