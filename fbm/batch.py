"""What travels from the data rooms to the tasks. Frames are `B T H W C` uint8: scaled only on the device."""

from typing import NamedTuple

from torch import Tensor


class ClipBatch(NamedTuple):
    """A batch of clips with their masks; one sample has the same fields without B."""

    frames: Tensor  # B T H W C uint8
    masks: Tensor  # B T H W uint8, 1 = foreground
    label: Tensor  # B int64, 0-based
    video: Tensor  # B int64, which video of the split the clip is from
    sample: Tensor  # B int64, which sample of the split
