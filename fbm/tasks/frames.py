"""Random numbers and frames of samples, the same on any device. Clips are `B 3 T H W`, masks `B T H W`.

Samples and frames are `B` int64 from 0.
"""

import torch
from torch import Tensor

MASK = (1 << 63) - 1  # clears the sign: int64 products wrap around, and shifting a negative number shifts in ones


def sample_target_frames(seed: int, epoch: int, sample: Tensor, frames: int) -> Tensor:
    """A frame from 1 to T - 1 for each of these samples, `B` int64, from (seed, epoch, sample) alone.

    So neither ranks nor an interruption change it. Computed on the samples' device: no GPU is waited for.
    """
    return 1 + _hash(seed, epoch, sample) % (frames - 1)


def random_scores(seed: int, epoch: int, sample: Tensor, count: int) -> Tensor:
    """`count` random numbers for each of these samples, `B count` int64 of at least 0, likewise."""
    place = torch.arange(count, device=sample.device)
    return _mix(_hash(seed, epoch, sample)[:, None] ^ _mix(place + 1))


def _hash(seed: int, epoch: int, sample: Tensor) -> Tensor:
    mixed = torch.full_like(sample, seed + 1)
    for key in (torch.full_like(sample, epoch), sample):
        mixed = _mix(mixed ^ _mix(key + 1))
    return mixed


def _mix(numbers: Tensor) -> Tensor:
    """Mix the bits of int64 numbers by multiplications and shifts, as splitmix64 does; at least 0."""
    for shift, factor in ((30, 0x3F58476D1CE4E5B9), (27, 0x14D049BB133111EB)):
        numbers = numbers & MASK
        numbers = (numbers ^ (numbers >> shift)) * factor
    numbers = numbers & MASK
    return numbers ^ (numbers >> 31)


def any_frame_of(sample: Tensor, frames: int) -> Tensor:
    """The frame from 1 to T - 1 on which a sample is evaluated: always the same, and all frames equally often."""
    return 1 + sample % (frames - 1)


def gather_first_and(frame: Tensor, clip: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
    """The first frame and the given one of each clip, with their masks: `B 3 2 H W` and `B 2 H W`."""
    both = torch.stack([torch.zeros_like(frame), frame], dim=1)  # B 2
    shape = (*both.shape, *clip.shape[3:])
    taken = both[..., None, None].expand(shape)
    return clip.gather(2, taken[:, None].expand(-1, 3, -1, -1, -1)), masks.gather(1, taken)
