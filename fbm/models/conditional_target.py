"""Beyond the paper: a motion that can be asked for any frame's foreground. Clips are `B 3 T H W` float in [-1, 1]."""

import math

import torch
from torch import Tensor

from fbm.models.disentangler import Disentangled, Disentangler, Features, split_features

OCTAVES = 4  # of a frame's code; the finest tells one of sixteen frames from the next


class ConditionalDisentangler(Disentangler):
    """A `Disentangler` whose kernels are made from the motion features and a code of the target frame.

    In all methods `frame` is the frame whose foreground is wanted of each clip, `B` int64 from 0; None is the last one.
    """

    condition_channels = 2 * OCTAVES

    def forward(self, clip: Tensor, frame: Tensor | None = None) -> Disentangled:
        return self.reconstruct(split_features(self.encoder(clip)), frame)

    def reconstruct(self, features: Features, frame: Tensor | None = None) -> Disentangled:
        """See `Disentangler.reconstruct`; `last_foreground` is the target frame's foreground."""
        return self._reconstructed(features, self.last_foreground_features(features, frame))

    def last_foreground_features(self, features: Features, frame: Tensor | None = None) -> Tensor:
        """See `Disentangler.last_foreground_features`; those of the target frame."""
        return super().last_foreground_features(features._replace(motion=self._condition(features.motion, frame)))

    def _condition(self, motion: Tensor, frame: Tensor | None) -> Tensor:
        """Append the target frame's code to the motion features as further channels."""
        frames = self.encoder.frames
        if frame is None:
            frame = torch.full((len(motion),), frames - 1, device=motion.device)
        code = time_embedding(frame, frames).to(motion.dtype)
        return torch.cat([motion, code[..., None, None].expand(-1, -1, *motion.shape[2:])], dim=1)

    @torch.no_grad()
    def foreground_feature_target(self, clip: Tensor, frame: Tensor | None = None) -> Tensor:
        """See `Disentangler.foreground_feature_target`; of the clip that starts with the target frame."""
        if frame is None:
            return super().foreground_feature_target(clip)
        return split_features(self.encoder(reversed_clip(clip, frame))).foreground


def time_embedding(frame: Tensor, frames: int) -> Tensor:
    """Position of a frame, `B` int64 from 0, among T frames as cosines and sines: `B 2 * OCTAVES` float.

    The slowest makes half a turn from the first frame to the last, each further one turns twice as fast.
    """
    turns = math.pi * 2 ** torch.arange(OCTAVES, device=frame.device)
    angles = (frame / (frames - 1))[:, None] * turns
    return torch.cat([angles.cos(), angles.sin()], dim=1)


def reversed_clip(clip: Tensor, frame: Tensor) -> Tensor:
    """Play clips `B 3 T H W` backwards from a frame of each, `B` int64, to the first, then forwards again.

    From the last frame this is the reversed clip; from any other it has T frames as well, and moves as the clip does.
    """
    order = (frame[:, None] - torch.arange(clip.shape[2], device=clip.device)).abs()
    return clip.gather(2, order[:, None, :, None, None].expand_as(clip))
