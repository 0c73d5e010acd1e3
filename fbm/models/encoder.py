"""The contract of an encoder, and the C3D encoder with its mapping layer. Clips are `B 3 T H W` float."""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from fbm.models.layers import Norm, conv3d, conv3d_norm, has_bias, init_weights, maxpool_relu, norm3d

# What an encoder sees of a clip: its frames, or residual frames, the differences between each frame and the next
# (Tao et al., 2020).
Input = Literal["frames", "residual"]


class Encoder(nn.Module):
    """What fbm needs of an encoder, its own or yours: derive from this class and set its attributes in `__init__`.

    `forward` takes clips `B 3 T H W`, float in [-1, 1], and returns features `B C h w`, float. Classification takes any
    C, h and w. The decoders of the pretraining tasks double height and width until frames are as large as the clip's,
    so these need h = w = H / 2^n with n of at least 1; task=disentangle also needs three channels or more, which it
    splits into background, foreground and motion (see `fbm.models.disentangler.split_features`).

    Attributes:
        frames: T.
        size: H = W in pixels.
        feature_shape: (C, h, w) of one clip's features.
        norm: "batch" or "group"; the default of the frame and clip decoders.
        mapping_norm: norm of the last, smallest maps; the default of the kernel decoder and the cross convolution.
        input: what it sees of a clip, see `adapt`.
        frame_interval: of a video's frames from one of a clip's to the next, see `adapt`.
    """

    frames: int
    size: int
    feature_shape: tuple[int, int, int]
    norm: Norm = "batch"
    mapping_norm: Norm = "batch"
    input: Input = "frames"
    frame_interval: int = 1
    _frame_size: int | None = None

    @property
    def frame_size(self) -> int:
        """H = W of the frames of which clips are the middle, or are cropped in training; `size` unless adapted."""
        return self._frame_size or self.size

    @property
    def span(self) -> int:
        """Frames of a video from a clip's first to its last one."""
        return (self.frames - 1) * self.frame_interval + 1

    @property
    def clip_shape(self) -> tuple[int, int, int]:
        """(T, H, W) of one clip."""
        return self.frames, self.size, self.size


def adapt(encoder: Encoder, frame_size: int, kind: Input, frame_interval: int = 1) -> None:
    """Set the run's settings that an encoder does not know: the size of the frames, how far apart a clip's are in their
    video, and what it sees of them.

    Its forward pass takes clips as before, and computes their residual frames itself where it is to see these.
    """
    encoder._frame_size = frame_size
    encoder.frame_interval = frame_interval
    encoder.input = kind
    if kind == "residual":
        encoder.register_forward_pre_hook(_residual)


def _residual(encoder: nn.Module, given: tuple[Any, ...]) -> Tensor:
    return residual_frames(given[0])


def residual_frames(clip: Tensor) -> Tensor:
    """Each frame of clips `B 3 T H W` subtracted from the next, in [-2, 2]; the last one twice, so that T stays."""
    differences = clip[:, :, 1:] - clip[:, :, :-1]
    return torch.cat([differences, differences[:, :, -1:]], 2)


class C3DEncoder(Encoder):
    """C3D and a mapping layer over all remaining time, which leaves one feature map per clip (section 3, Figure 1).

    Features are `B 8*width H/32 W/32`; the paper's are of shape (512, 4, 4).

    Args:
        width: channels of the first convolution; the paper's is 64, which makes 512 feature channels.
        frames: T, a multiple of 8.
        size: H = W in pixels, a multiple of 32.
        norm, mapping_norm: of the convolutions, and of the mapping; batch norm in the paper.

    Raises:
        ValueError: `frames` or `size` is not such a multiple.
    """

    STRIDE = 32  # in space: four poolings and the mapping
    TIME_STRIDE = 8  # three of the poolings halve time

    def __init__(self, width: int, frames: int, size: int, norm: Norm = "batch", mapping_norm: Norm = "batch") -> None:
        super().__init__()
        if size % self.STRIDE or frames % self.TIME_STRIDE:
            raise ValueError(
                f"C3DEncoder: size {size} must be a multiple of {self.STRIDE}, frames {frames} of {self.TIME_STRIDE}"
            )
        w = width
        time = frames // self.TIME_STRIDE
        self.width = width
        self.frames = frames
        self.size = size
        self.norm = norm
        self.mapping_norm = mapping_norm
        self.feature_shape = (8 * w, size // self.STRIDE, size // self.STRIDE)
        self.convolutions = nn.Sequential(
            conv3d_norm(3, w, norm),
            maxpool_relu((1, 2, 2)),
            conv3d_norm(w, 2 * w, norm),
            maxpool_relu(2),
            conv3d(2 * w, 4 * w, norm),
            conv3d_norm(4 * w, 4 * w, norm),
            maxpool_relu(2),
            conv3d(4 * w, 8 * w, norm),
            conv3d_norm(8 * w, 8 * w, norm),
            maxpool_relu(2),
            conv3d(8 * w, 8 * w, norm),
            conv3d(8 * w, 8 * w, norm),
        )
        self.mapping = nn.Sequential(
            nn.Conv3d(8 * w, 8 * w, (time, 2, 2), stride=(1, 2, 2), bias=has_bias(mapping_norm)),
            norm3d(8 * w, mapping_norm),
            nn.ReLU(inplace=True),
        )
        init_weights(self)

    def forward(self, clip: Tensor) -> Tensor:
        features: Tensor = self.mapping(self.convolutions(clip))  # B C 1 h w
        return torch.squeeze(features, 2)
