"""The C3D encoder with its mapping layer. Clips are `B 3 T H W` float, features `B C H/32 W/32` float."""

import torch
from torch import Tensor, nn

from fbm.models.layers import Norm, conv3d, conv3d_norm, initialise, norm3d, pool3d

STRIDE = 32  # four poolings and the mapping's stride
TIME_STRIDE = 8  # three of the poolings halve time


class C3DEncoder(nn.Module):
    """C3D and a mapping over all remaining time, to one feature map a clip (section 3, Figure 1).

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
        self.convolutions = nn.Sequential(
            *(conv3d_norm(3, w, norm), pool3d((1, 2, 2))),
            *(conv3d_norm(w, 2 * w, norm), pool3d(2)),
            *(conv3d(2 * w, 4 * w, norm), conv3d_norm(4 * w, 4 * w, norm), pool3d(2)),
            *(conv3d(4 * w, 8 * w, norm), conv3d_norm(8 * w, 8 * w, norm), pool3d(2)),
            *(conv3d(8 * w, 8 * w, norm), conv3d(8 * w, 8 * w, norm)),
        )
        self.mapping = nn.Sequential(
            nn.Conv3d(8 * w, 8 * w, (frames // TIME_STRIDE, 2, 2), stride=(1, 2, 2)),
            norm3d(8 * w, mapping_norm),
            nn.ReLU(inplace=True),
        )
        initialise(self)

    @property
    def feature_shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of one clip's features; the paper's is (512, 4, 4)."""
        return 8 * self.width, self.size // STRIDE, self.size // STRIDE

    def forward(self, clip: Tensor) -> Tensor:
        features: Tensor = self.mapping(self.convolutions(clip))  # B C 1 h w
        return torch.squeeze(features, 2)
