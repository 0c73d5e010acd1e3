"""What travels from the data rooms to the tasks. Frames are `B T H W C` uint8: scaled only on the device."""

from typing import NamedTuple, Protocol, runtime_checkable

from torch import Tensor, device


class ClipBatch(NamedTuple):
    """A batch of clips with their masks; one sample has the same fields without B."""

    frames: Tensor  # B T H W C uint8
    masks: Tensor  # B M H W uint8, 1 = foreground, of those M frames that the task asks for
    label: Tensor  # B int64, 0-based
    video: Tensor  # B int64, which video of the split the clip is from
    sample: Tensor  # B int64, which sample of the split
    counted: Tensor  # B bool, False where a sample only fills up a rank's share

    def moved(self, device: device) -> "ClipBatch":
        """The batch on a device. Not `to`, which Lightning would call in its own way."""
        return ClipBatch(*(field.to(device) for field in self))

    def without_padding(self) -> "ClipBatch":
        """The batch without what only fills up; it may be left with no sample at all."""
        return self if bool(self.counted.all()) else ClipBatch(*(field[self.counted] for field in self))


@runtime_checkable
class SizedEvaluation(Protocol):
    """What a task may ask of the data it is measured on."""

    def evaluated(self, split: str, batches: int | None) -> int:
        """How many samples of validation or test, 0 to N - 1, so many batches over all ranks hold; all, for None."""
