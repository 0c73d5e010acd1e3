"""The disentangling network of the paper's Figure 1. Clips are `B 3 T H W`, frames `B 3 H W`, both float in [-1, 1]."""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from fbm.models.cross_convolution import CrossConvolution
from fbm.models.decoder import FrameDecoder, KernelDecoder, MaskedFrameDecoder, default_width, num_upsamplings
from fbm.models.encoder import Encoder
from fbm.models.layers import Norm, OutputInit

# How far from mid grey, in any channel of [-1, 1], a reconstructed pixel counts as foreground. By it, true foregrounds
# have an IoU of 0.96 with their own masks on the demo data, and of 0.97 on UCF-101.
FOREGROUND_THRESHOLD = 0.1


class Features(NamedTuple):
    """The bottleneck's three parts, each `B C h w`, in the order of the paper's title; `split_features` says which
    channels they are."""

    motion: Tensor
    foreground: Tensor
    background: Tensor


class Reconstruction(NamedTuple):
    """Three frames `B 3 H W`, in the order of Figure 2; what is masked out is 0, mid grey."""

    first_foreground: Tensor
    first_background: Tensor
    last_foreground: Tensor


class Disentangled(NamedTuple):
    """Output of one pass: the frames, the last frame's foreground features as the motion predicts them, `B C h w`
    (equation 1), the features that both were made from, and, where masks are predicted, the logits of the first and the
    last foreground's, `B 2 H W`."""

    reconstruction: Reconstruction
    last_foreground_features: Tensor
    features: Features
    mask_logits: Tensor | None = None


def split_features(features: Tensor) -> Features:
    """Split `B C h w` by channel into background C // 3, foreground C // 3 and motion, the rest (170, 170, 172)."""
    third = features.shape[1] // 3
    return Features(
        motion=features[:, 2 * third :],
        foreground=features[:, third : 2 * third],
        background=features[:, :third],
    )


def foreground_shown(frames: Tensor) -> Tensor:
    """Pixels of reconstructed foregrounds `B 3 H W` that are not grey by `FOREGROUND_THRESHOLD`: bool `B H W`."""
    return frames.abs().amax(1) > FOREGROUND_THRESHOLD


class Disentangler(nn.Module):
    """Encoder, one decoder for both foregrounds, one for the background, and the motion's cross convolution.

    Args:
        encoder: the one to pretrain; other tasks load its weights from a checkpoint.
        kernels: K of the cross convolution, which has K x K kernels for each clip; None takes the paper's proportion,
            3/32 of the feature channels (48 of 512).
        decoder_width: of the frame decoders; None takes an eighth of the feature channels, as the paper does.
        decoder_norm: of both frame decoders; None takes that of the encoder's convolutions.
        motion_norm: of the kernel decoder and the cross convolution; None takes that of the encoder's last maps, which
            are as small.
        output_init: of the frame decoders' last convolutions.
        predict_masks: beyond the paper, the foreground decoder makes a mask as well, see `MaskedFrameDecoder`.

    Raises:
        ValueError: there are fewer than 3 feature channels, the frames are not 2^n times as large as the features, or
            `kernels` or `decoder_width` is below 1.
    """

    condition_channels = 0  # that a subclass appends to the motion features

    def __init__(
        self,
        encoder: Encoder,
        kernels: int | None = None,
        decoder_width: int | None = None,
        decoder_norm: Norm | None = None,
        motion_norm: Norm | None = None,
        output_init: OutputInit = "xavier",
        predict_masks: bool = False,
    ) -> None:
        super().__init__()
        channels = encoder.feature_shape[0]
        if channels < 3:
            raise ValueError(f"three parts need 3 feature channels or more, not feature_shape={encoder.feature_shape}")
        upsamplings = num_upsamplings(encoder.feature_shape, encoder.size)
        third = channels // 3
        width = default_width(channels)
        kernels = max(1, width * 3 // 4) if kernels is None else kernels
        decoder_width = width if decoder_width is None else decoder_width
        if kernels < 1 or decoder_width < 1:
            raise ValueError(f"kernels={kernels} and decoder_width={decoder_width} must be at least 1")
        decoder_norm = decoder_norm or encoder.norm
        motion_norm = motion_norm or encoder.mapping_norm
        motion_channels = channels - 2 * third + self.condition_channels
        self.encoder = encoder
        self.predict_masks = predict_masks
        foreground_decoder = MaskedFrameDecoder if predict_masks else FrameDecoder
        self.foreground_decoder = foreground_decoder(third, decoder_width, decoder_norm, output_init, upsamplings)
        self.background_decoder = FrameDecoder(third, decoder_width, decoder_norm, output_init, upsamplings)
        self.kernel_decoder = KernelDecoder(motion_channels, kernels, motion_norm)
        self.cross_convolution = CrossConvolution(third, kernels, motion_norm)

    def forward(self, clip: Tensor) -> Disentangled:
        """Encode clips `B 3 T H W`, float in [-1, 1], and decode their parts to frames `B 3 H W`."""
        return self.reconstruct(split_features(self.encoder(clip)))

    def reconstruct(self, features: Features) -> Disentangled:
        """Decode the three parts, each `B C h w`, to frames `B 3 H W`.

        The parts may come from different clips: with the motion of one and the foreground of another, the last
        foreground is the second clip's, moved like the first's.
        """
        return self._reconstructed(features, self.last_foreground_features(features))

    def last_foreground_features(self, features: Features) -> Tensor:
        """The foreground's features, `B C h w`, as the motion moves them to the last frame (equation 1)."""
        motion, foreground, _ = features  # in the paper B 172 4 4 and B 170 4 4
        kernels = self.kernel_decoder(motion)  # B 172 4 4 -> B 48 48 4 4
        # "Gradients coming from the reconstruction of f_t2 are blocked": the first frame's features must not
        # store what belongs to the last one (section 3).
        moved: Tensor = self.cross_convolution(foreground.detach(), kernels)  # B 170 4 4 -> B 48 4 4 -> B 170 4 4
        return moved

    def decode(self, features: Features, frames: Iterable[str]) -> dict[str, Tensor]:
        """Some of the frames that `reconstruct` makes, each `B 3 H W`, in the time that these take.

        Args:
            frames: fields of `Reconstruction`.
        """
        made: dict[str, Tensor] = {}
        for name in frames:
            if name == "first_background":
                made[name] = self.background_decoder(features.background)
            else:
                moved = name == "last_foreground"
                maps = self.last_foreground_features(features) if moved else features.foreground
                made[name] = self._foreground(maps)[0]
        return made

    def _foreground(self, maps: Tensor) -> tuple[Tensor, Tensor | None]:
        """A foreground `B 3 H W`, and the logits of its mask, `B H W`, where masks are predicted."""
        decoded = self.foreground_decoder(maps)
        return decoded if self.predict_masks else (decoded, None)

    def _reconstructed(self, features: Features, moved: Tensor) -> Disentangled:
        # Two passes through the shared decoder, not one over both: common batch statistics would carry gradients of
        # the last frame's loss into the first frame's features. In evaluation batch norm has one set of running
        # statistics for both, which cost 0.5 % of L_rec in one run (experiments/norms).
        (first, first_logits), (last, last_logits) = self._foreground(features.foreground), self._foreground(moved)
        logits = None if first_logits is None or last_logits is None else torch.stack([first_logits, last_logits], 1)
        background = self.background_decoder(features.background)
        frames = Reconstruction(first, background, last)  # each B 170 4 4 -> B 3 128 128
        return Disentangled(frames, moved, features, logits)

    @torch.no_grad()
    def foreground_feature_target(self, clip: Tensor) -> Tensor:
        """Pseudo ground truth of L_feat: first foreground features of the time-reversed clip, `B C h w`.

        No gradient reaches the encoder through it (section 3, equation 7). The running statistics of an encoder with
        batch norm do follow it, so a training step updates them twice.
        """
        return split_features(self.encoder(clip.flip(2))).foreground
