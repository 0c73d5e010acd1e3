"""What an encoder is, and the C3D encoder with its mapping layer. Clips are `B 3 T H W` float."""

import torch
from torch import Tensor, nn

from fbm.models.layers import Norm, conv3d, conv3d_norm, has_bias, initialise, maxpool_relu, norm3d

STRIDE = 32  # four poolings and the mapping's stride
TIME_STRIDE = 8  # three of the poolings halve time


class Encoder(nn.Module):
    """What fbm needs of an encoder, its own or yours: derive from this class and set its attributes in `__init__`.

    `forward` takes clips `B 3 T H W`, float in [-1, 1], and gives features `B C h w`, float. Classification takes any
    C, h and w. Pretraining makes frames of them: it needs h = w = H / 32, and task=disentangle three channels or more,
    which it cuts into background, foreground and motion (see `fbm.models.disentangler.split`).

    Attributes:
        frames: T.
        size: H = W in pixels.
        feature_shape: (C, h, w) of one clip's features.
        norm: "batch" or "group"; frame and clip decoders take it too, where nothing else is chosen.
        mapping_norm: of the last, smallest maps; the kernel decoder and the cross convolution take it too.
    """

    frames: int
    size: int
    feature_shape: tuple[int, int, int]
    norm: Norm = "batch"
    mapping_norm: Norm = "batch"


class C3DEncoder(Encoder):
    """C3D and a mapping over all remaining time, to one feature map a clip (section 3, Figure 1).

    The paper's features are of shape (512, 4, 4), `B C H/32 W/32` in general.

    Args:
        width: channels of the first convolution; the paper's is 64, which makes 512 feature channels.
        frames: T, a multiple of 8.
        size: H = W in pixels, a multiple of 32.
        norm, mapping_norm: of the convolutions, and of the mapping; the paper's are batch norm.

    Raises:
        ValueError: `frames` or `size` does not divide.
    """

    def __init__(self, width: int, frames: int, size: int, norm: Norm = "batch", mapping_norm: Norm = "batch") -> None:
        super().__init__()
        if size % STRIDE or frames % TIME_STRIDE:
            raise ValueError(
                f"C3DEncoder: size {size} must be a multiple of {STRIDE}, frames {frames} of {TIME_STRIDE}"
            )
        w = width
        self.width, self.frames, self.size = width, frames, size
        self.norm, self.mapping_norm = norm, mapping_norm
        self.feature_shape = (8 * w, size // STRIDE, size // STRIDE)
        self.convolutions = nn.Sequential(
            *(conv3d_norm(3, w, norm), maxpool_relu((1, 2, 2))),
            *(conv3d_norm(w, 2 * w, norm), maxpool_relu(2)),
            *(conv3d(2 * w, 4 * w, norm), conv3d_norm(4 * w, 4 * w, norm), maxpool_relu(2)),
            *(conv3d(4 * w, 8 * w, norm), conv3d_norm(8 * w, 8 * w, norm), maxpool_relu(2)),
            *(conv3d(8 * w, 8 * w, norm), conv3d(8 * w, 8 * w, norm)),
        )
        self.mapping = nn.Sequential(
            nn.Conv3d(8 * w, 8 * w, (frames // TIME_STRIDE, 2, 2), stride=(1, 2, 2), bias=has_bias(mapping_norm)),
            norm3d(8 * w, mapping_norm),
            nn.ReLU(inplace=True),
        )
        initialise(self)

    def forward(self, clip: Tensor) -> Tensor:
        features: Tensor = self.mapping(self.convolutions(clip))  # B C 1 h w
        return torch.squeeze(features, 2)


def width_of(encoder: Encoder) -> int:
    """An eighth of its feature channels, C3D's width: what decoders take where no width of theirs is chosen."""
    return max(1, encoder.feature_shape[0] // 8)


def check_decodable(encoder: Encoder, least: int = 1) -> None:
    """See that the decoders can make frames of an encoder's features, which have `least` channels or more.

    Raises:
        ValueError: they cannot.
    """
    wanted = encoder.size / STRIDE
    if encoder.feature_shape[0] < least or any(side != wanted for side in encoder.feature_shape[1:]):
        raise ValueError(
            f"the decoders need features of {least} channels or more and of 1/{STRIDE} of the frames' "
            f"{encoder.size} pixels, not feature_shape={encoder.feature_shape}"
        )
