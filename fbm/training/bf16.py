"""Does this processor compute gradients in bf16 right? Some do not, where a feature map has few frames."""

import torch
import torch.nn.functional as F
from torch import Tensor

from fbm.utils.errors import UserError

# Clips, channels, frames, size, as in the last layers of an encoder. With torch 2.13 on processors with AVX-512 it was
# the gradients of convolutions over two frames that were wrong, up to NaN, and differed from call to call.
SHAPES = ((1, 4, 2, 2), (1, 16, 2, 4), (2, 16, 2, 2), (2, 32, 2, 2), (1, 16, 1, 2), (2, 16, 4, 4))
LEAST = 0.99  # cosine; bf16 has 8 bits, which is a cosine of 0.9999


def check_bf16(precision: str) -> None:
    """Check the weight gradients of small 3D convolutions on the processor in bf16 against float32, in 0.02 s.

    Args:
        precision: as chosen, for the message.

    Raises:
        UserError: they are wrong.
    """
    layouts = torch.contiguous_format, torch.channels_last_3d
    if not all(_is_right(shape, layout) for shape in SHAPES for layout in layouts):
        raise UserError(
            f"trainer.precision={precision}: gradients of 3D convolutions in bf16 are wrong on this processor with "
            f"torch {torch.__version__}; use trainer.precision=32-true, or run with ONEDNN_MAX_CPU_ISA=AVX2 in the "
            "environment"
        )


def _is_right(shape: tuple[int, int, int, int], layout: torch.memory_format) -> bool:
    clips, channels, frames, size = shape
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(clips, channels, frames, size, size, generator=generator).to(memory_format=layout)
    weight = torch.randn(channels, channels, 3, 3, 3, generator=generator)
    upstream = torch.randn(x.shape, generator=generator)
    true, found = (
        _weight_gradient(x.to(kind), weight.to(kind), upstream.to(kind)) for kind in (torch.float32, torch.bfloat16)
    )
    return float(F.cosine_similarity(found, true, dim=0)) > LEAST  # not so of NaN


def _weight_gradient(x: Tensor, weight: Tensor, upstream: Tensor) -> Tensor:
    weight.requires_grad_()
    (gradient,) = torch.autograd.grad(F.conv3d(x, weight, padding=1), weight, upstream)
    return gradient.flatten().float()
