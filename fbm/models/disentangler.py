"""The disentangling network of Figure 1. Clips are `B 3 T H W`, frames `B 3 H W`, both float in [-1, 1]."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from fbm.models.cross_convolution import CrossConvolution
from fbm.models.decoder import FrameDecoder, KernelDecoder
from fbm.models.encoder import Encoder, check_decodable, width_of
from fbm.models.layers import Norm, OutputInit

# How far from mid grey, in any channel of [-1, 1], a reconstructed pixel counts as foreground: by it, the demo data's
# true foregrounds have an IoU of 0.97 with their own masks.
FOREGROUND_THRESHOLD = 0.1
OCTAVES = 4  # of a frame's code; the finest tells one of sixteen frames from the next


class Features(NamedTuple):
    """The bottleneck's three parts, each `B C h w`."""

    motion: Tensor
    foreground: Tensor
    background: Tensor


class Reconstruction(NamedTuple):
    """Three frames `B 3 H W`, in the order of Figure 2; what is masked out is 0, mid grey.

    `last_foreground` is that of the frame asked for, where another than the last was.
    """

    first_foreground: Tensor
    first_background: Tensor
    last_foreground: Tensor


class Disentangled(NamedTuple):
    """What one pass gives: the frames, and G(f_T) as the motion predicts it, `B C h w` (equation 1)."""

    reconstruction: Reconstruction
    last_foreground_features: Tensor


def split(features: Tensor) -> Features:
    """Cut `B C h w` by channel into background C // 3, foreground C // 3 and motion, the rest (170, 170, 172)."""
    third = features.shape[1] // 3
    return Features(
        motion=features[:, 2 * third :],
        foreground=features[:, third : 2 * third],
        background=features[:, :third],
    )


def foreground_shown(frames: Tensor) -> Tensor:
    """Where reconstructed foregrounds `B 3 H W` show anything: bool `B H W`, by `FOREGROUND_THRESHOLD`."""
    return frames.abs().amax(1) > FOREGROUND_THRESHOLD


class Disentangler(nn.Module):
    """Encoder, one decoder for both foregrounds, one for the background, and the motion's cross convolution.

    Args:
        encoder: shared with the other tasks.
        kernels: K of the cross convolution; None takes the paper's proportion, 3/4 of the encoder's width (48).
        decoder_width: of the frame decoders; None takes the encoder's, as the paper does.
        conditional_target: the motion's kernels can be asked for any frame's foreground: they are made from the motion
            features and a code of the frame (see `time_embedding`). False, as in the paper: the last one's alone.
        decoder_norm: of both frame decoders; None takes that of the encoder's convolutions.
        motion_norm: of the kernel decoder and the cross convolution; None takes that of the encoder's mapping, whose
            maps are as small.
        output_init: of the frame decoders' last convolutions.
    """

    def __init__(
        self,
        encoder: Encoder,
        kernels: int | None = None,
        decoder_width: int | None = None,
        conditional_target: bool = False,
        decoder_norm: Norm | None = None,
        motion_norm: Norm | None = None,
        output_init: OutputInit = "xavier",
    ) -> None:
        super().__init__()
        channels = encoder.feature_shape[0]
        third = channels // 3
        check_decodable(encoder, 3)
        width = width_of(encoder)
        kernels = max(1, width * 3 // 4) if kernels is None else kernels
        decoder_width = width if decoder_width is None else decoder_width
        if kernels < 1 or decoder_width < 1:
            raise ValueError(f"kernels={kernels} and decoder_width={decoder_width} must be at least 1")
        decoder_norm, motion_norm = decoder_norm or encoder.norm, motion_norm or encoder.mapping_norm
        self.encoder = encoder
        self.foreground_decoder = FrameDecoder(third, decoder_width, decoder_norm, output_init)
        self.background_decoder = FrameDecoder(third, decoder_width, decoder_norm, output_init)
        self.conditional_target = conditional_target
        code = 2 * OCTAVES if conditional_target else 0
        self.kernel_decoder = KernelDecoder(channels - 2 * third + code, kernels, motion_norm)
        self.cross_convolution = CrossConvolution(third, kernels, motion_norm)

    def forward(self, clip: Tensor, frame: Tensor | None = None) -> Disentangled:
        return self.reconstruct(split(self.encoder(clip)), frame)

    def reconstruct(self, features: Features, frame: Tensor | None = None) -> Disentangled:
        """The decoders' part of the network: the frames that the three parts make together.

        The parts may come from different clips: with the motion of one and the foreground of another, the last
        foreground is the other's, moved like the one.

        Args:
            frame: whose foreground each clip is asked for, `B` int64 from 0; None is the last one's.

        Raises:
            ValueError: a frame is given, and the network is not made for any but the last.
        """
        motion, foreground, background = features
        # "Gradients coming from the reconstruction of f_t2 are blocked": the first frame's features must not
        # store what belongs to the last one (section 3).
        moved = self.cross_convolution(foreground.detach(), self.kernel_decoder(self._asked(motion, frame)))
        # Two passes through the shared decoder, not one over both: batch statistics taken over the two frames
        # together would be a way around the block. In evaluation batch norm has one set of running statistics for
        # both, which costs half a per cent of L_rec (experiments/norms).
        frames = Reconstruction(
            first_foreground=self.foreground_decoder(foreground),
            first_background=self.background_decoder(background),
            last_foreground=self.foreground_decoder(moved),
        )
        return Disentangled(frames, moved)

    def _asked(self, motion: Tensor, frame: Tensor | None) -> Tensor:
        """The motion features and, as further channels, which frame is asked for."""
        if not self.conditional_target:
            if frame is not None:
                raise ValueError(
                    "this network knows the last frame alone: it was not made with conditional_target=True"
                )
            return motion
        frames = self.encoder.frames
        if frame is None:
            frame = torch.full((len(motion),), frames - 1, device=motion.device)
        code = time_embedding(frame, frames).to(motion.dtype)
        return torch.cat([motion, code[..., None, None].expand(-1, -1, *motion.shape[2:])], dim=1)

    @torch.no_grad()
    def foreground_feature_target(self, clip: Tensor, frame: Tensor | None = None) -> Tensor:
        """Pseudo ground truth of L_feat: first foreground features of the time-reversed clip, `B C h w`.

        No gradient reaches the encoder through it (section 3, equation 7); the running statistics of an encoder with
        batch norm follow it all the same, so that a training step moves them twice. With `frame`, `B` int64, of the
        clip that begins with that frame, see `reversed_clip`.
        """
        return split(self.encoder(clip.flip(2) if frame is None else reversed_clip(clip, frame))).foreground


def time_embedding(frame: Tensor, frames: int) -> Tensor:
    """Which of T frames, `B` int64 from 0, as cosines and sines of its place in the clip, `B 2 * OCTAVES` float.

    The slowest makes half a turn from the first frame to the last, each other one turns twice as fast.
    """
    turns = math.pi * 2 ** torch.arange(OCTAVES, device=frame.device)
    angles = (frame / (frames - 1))[:, None] * turns
    return torch.cat([angles.cos(), angles.sin()], dim=1)


def reversed_clip(clip: Tensor, frame: Tensor) -> Tensor:
    """Clips `B 3 T H W` played backwards from a frame each, `B` int64, and forwards again from the first on.

    From the last frame it is the reversed clip; from any it is T frames long, and moves as the clip does.
    """
    order = (frame[:, None] - torch.arange(clip.shape[2], device=clip.device)).abs()
    return clip.gather(2, order[:, None, :, None, None].expand_as(clip))
