"""The batch of clips that tasks receive. Frames are `B T H W C` uint8: they are scaled on the device."""

from typing import NamedTuple, Protocol, runtime_checkable

from torch import Tensor, device


class Windows(NamedTuple):
    """Several clips of one video in each sample, as a task declares them."""

    clips: int  # N, at least 2
    # None: each is anywhere in the video. Else they are in order of time, with so many frames between one's end and the
    # next one's start; in a video that is too short for it fewer, down to windows that overlap.
    interval: int | None = None


class ClipBatch(NamedTuple):
    """A batch of clips with their masks; one sample has the same fields without B.

    For a task that declares `Windows`, frames are `B N T H W C` and masks `B N M H W`.
    """

    frames: Tensor  # B T H W C uint8
    masks: Tensor  # B M H W uint8, 1 = foreground, of the M frames that the task needs
    label: Tensor  # B int64, 0-based
    video: Tensor  # B int64, index of the clip's video in its split
    sample: Tensor  # B int64, index of the sample in its split
    counted: Tensor  # B bool, False for padding

    def moved(self, device: device) -> "ClipBatch":
        """The batch on a device. Not called `to`, which Lightning would call with other arguments."""
        return ClipBatch(*(field.to(device) for field in self))

    def without_padding(self) -> "ClipBatch":
        """The batch without padding; it may be empty."""
        return self if bool(self.counted.all()) else ClipBatch(*(field[self.counted] for field in self))


@runtime_checkable
class SizedEvaluation(Protocol):
    """Data whose number of evaluated samples is known."""

    def evaluated(self, split: str, batches: int | None) -> int:
        """The number of validation or test samples in so many batches over all ranks; None is all batches."""
