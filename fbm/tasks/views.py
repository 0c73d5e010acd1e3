"""Crops of test clips where frames are larger than the encoder's."""

from torch import Tensor


def crops(clips: Tensor, size: int, count: int) -> list[Tensor]:
    """`count` crops `B 3 T size size` of clips `B 3 T H W`, from the left edge to the right, at middle height.

    One is the middle. Published tests crop along the longer side of a frame; stored frames are square, so this is their
    width.
    """
    height, width = clips.shape[-2:]
    top, room = (height - size) // 2, width - size
    lefts = [room // 2] if count == 1 else [room * place // (count - 1) for place in range(count)]
    return [clips[..., top : top + size, left : left + size] for left in lefts]
