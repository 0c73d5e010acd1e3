"""The paper's pretraining: first foreground, first background and, moved by the motion, the last foreground."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from fbm.data.batch import ClipBatch
from fbm.models.conditional_target import ConditionalDisentangler
from fbm.models.disentangler import Disentangled, Disentangler, split_features
from fbm.models.encoder import Encoder
from fbm.models.layers import Norm, OutputInit
from fbm.models.losses import LossWeights, disentangling_losses, foreground_of, mask_loss, truth
from fbm.tasks.adversarial import Adversarial, PatchGANLoss
from fbm.tasks.frames import any_frame_of, gather_first_and, sample_target_frames
from fbm.tasks.metrics import FrameMean
from fbm.tasks.quality import ReconstructionQuality, frames_with_loss, psnr
from fbm.tasks.task import MakeOptimizer, MakeSchedule, Pictures, PretrainingTask, stacked

ANY = "psnr_any_foreground"
TITLES = ("first foreground", "first background", "last foreground")


class Disentangle(PretrainingTask):
    """Minimises L_total, equation (7), and an optional adversarial loss.

    `SPLIT/loss` is the weighted sum that is minimised. Its terms are logged without weights, so that runs with
    different weights compare, as is L_rec, equation (3), under `reconstruction`: it selects the best epoch, because the
    target of L_feat changes with the network. On val and test the quality of the pictures is logged too, see
    `ReconstructionQuality`. With a weight of `masks` above 0 the foreground decoder predicts masks, too; their loss is
    logged under `masks`.

    Args:
        encoder, optimizer, schedule: see `Task`.
        kernels, decoder_width, decoder_norm, motion_norm, output_init: see `Disentangler`.
        target: the frame whose foreground the motion predicts: the last, or in training a random frame after the first,
            drawn for each clip in each epoch. Val and test always predict the last, so that runs compare. With `random`
            they also log `psnr_any_foreground`, of one frame of each clip, all frames equally often; frames with an
            empty mask do not count, and it is nan if none does.
        adversarial: weight of the adversarial loss (0.05 in Mathieu et al., 2016); 0 trains no discriminators.
        discriminator: makes them; None takes `PatchGANLoss()`.
        seed: of the random frames.
        weights: of the terms of L_total and of the predicted masks' loss; None takes the paper's: all 1, and no masks.

    Raises:
        ValueError: the adversarial weight is negative, or the discriminators cannot be made.
    """

    mask_frames: Sequence[int] | None = (0, -1)

    def __init__(
        self,
        encoder: Encoder,
        optimizer: MakeOptimizer,
        schedule: MakeSchedule | None = None,
        kernels: int | None = None,
        decoder_width: int | None = None,
        target: Literal["last", "random"] = "last",
        adversarial: float = 0.0,
        discriminator: Callable[[], PatchGANLoss] | None = None,
        seed: int = 0,
        decoder_norm: Norm | None = None,
        motion_norm: Norm | None = None,
        output_init: OutputInit = "xavier",
        weights: LossWeights | None = None,
    ) -> None:
        if encoder.input != "frames":
            raise ValueError(f"input={encoder.input}: frames cannot be reconstructed from their differences")
        if adversarial < 0:
            raise ValueError(f"adversarial={adversarial} must be at least 0")
        metrics = {f"{split}/{ANY}": FrameMean() for split in ("val", "test")} if target == "random" else {}
        kind = ConditionalDisentangler if target == "random" else Disentangler
        weights = weights or LossWeights()
        predict_masks = weights.masks > 0
        network = kind(encoder, kernels, decoder_width, decoder_norm, motion_norm, output_init, predict_masks)
        super().__init__(network, optimizer, schedule, metrics)
        self.network: Disentangler
        if target == "random":
            self.mask_frames = None
        self.seed = seed
        self.adversarial_weight = adversarial
        self.loss_weights = weights
        self.adversary = (discriminator or PatchGANLoss)() if adversarial else None
        self.quality = nn.ModuleDict({split: ReconstructionQuality() for split in ("val", "test")})

    def loss_terms(self, batch: ClipBatch) -> dict[str, Tensor]:
        clip, masks = self.inputs(batch)
        frame = None
        if self._conditional:
            frame = sample_target_frames(self.seed, self.current_epoch, batch.sample, clip.shape[2])
        return self._losses(clip, masks, frame)[0]

    def total_loss(self, terms: dict[str, Tensor]) -> Tensor:
        # One backward pass for both sides: each other's weights get no gradient (see `Adversarial`).
        return terms["loss"] + terms["discriminator"] if self.adversary else terms["loss"]

    def param_groups(self) -> list[dict[str, Any]]:
        groups = super().param_groups()
        return [*groups, self.adversary.param_group()] if self.adversary else groups

    def evaluate(self, batch: ClipBatch, split: str) -> None:
        self.measured(batch, split)

    def measured(self, batch: ClipBatch, split: str) -> Disentangled:
        """Log the metrics of a batch; returns what the network made of it."""
        clip, masks = self.inputs(batch)
        terms, out = self._losses(clip, masks)
        self.log_terms(split, terms, len(clip))
        quality = self.quality[split]
        assert isinstance(quality, ReconstructionQuality)
        quality.update(out.reconstruction, truth(clip, masks), masks)
        for name, metric in quality.named().items():
            self.log(f"{split}/{name}", metric)
        if self._conditional:
            frame = any_frame_of(batch.sample, clip.shape[2])
            predicted = self._conditional(clip, frame).reconstruction.last_foreground
            clip, masks = gather_first_and(frame, clip, masks)
            values = psnr(predicted.float(), truth(clip, masks).last_foreground)
            self.log_metric(f"{split}/{ANY}", values, frames_with_loss(masks).last_foreground)
        return out

    @torch.no_grad()
    def visualize(self, batch: ClipBatch) -> Pictures:
        clip, masks = self.inputs(batch)
        return Pictures(TITLES, stacked(self.network(clip).reconstruction), stacked(truth(clip, masks)))

    @torch.no_grad()
    def frame_strip(self, batch: ClipBatch) -> Pictures | None:
        network = self._conditional
        if network is None:
            return None
        clip, masks = self.inputs(batch)
        features = split_features(network.encoder(clip))
        frames = range(clip.shape[2])
        predicted = [network.reconstruct(features).reconstruction.first_foreground]
        for frame in frames[1:]:
            target = torch.full_like(batch.sample, frame)
            predicted.append(network.reconstruct(features, target).reconstruction.last_foreground)
        true = [foreground_of(clip[:, :, frame], masks[:, frame]) for frame in frames]
        return Pictures(tuple(f"{frame + 1}" for frame in frames), stacked(predicted), stacked(true))

    @property
    def _conditional(self) -> ConditionalDisentangler | None:
        """The network where it can be asked for any frame."""
        return self.network if isinstance(self.network, ConditionalDisentangler) else None

    def _losses(
        self, clip: Tensor, masks: Tensor, frame: Tensor | None = None
    ) -> tuple[dict[str, Tensor], Disentangled]:
        """The loss and its terms by name, and what the network made.

        Args:
            frame: the target frame of each clip, `B` int64; None is the last one.
        """
        if self._conditional and frame is not None:
            target = self._conditional.foreground_feature_target(clip, frame)
            out = self._conditional(clip, frame)
            clip, masks = gather_first_and(frame, clip, masks)
        else:
            target = self.network.foreground_feature_target(clip)
            out = self.network(clip)
        losses = disentangling_losses(out, clip, masks, target)
        total = losses.weighted(self.loss_weights)
        terms = {**losses._asdict(), "reconstruction": losses.reconstruction}
        if out.mask_logits is not None:
            terms["masks"] = mask_loss(out.mask_logits, torch.stack([masks[:, 0], masks[:, -1]], 1))
            total = total + self.loss_weights.masks * terms["masks"]
        if self.adversary:
            both: Adversarial = self.adversary(clip[:, :, 0], out.reconstruction, truth(clip, masks), masks)
            terms |= both._asdict()
            total = total + self.adversarial_weight * both.adversarial
        return {"loss": total, **terms}, out
