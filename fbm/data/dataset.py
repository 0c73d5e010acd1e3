"""What `fbm prepare`, `fbm train` and `fbm doctor` are given for a data set, whichever it is."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from fbm.data.decode import Status

Split = Literal["train", "val", "test"]


class Rejection(NamedTuple):
    """Why a file is not stored, as its row in the manifest says it."""

    status: Status
    reason: str


@dataclass(frozen=True)
class Video:
    """One video of a data set.

    Attributes:
        name: of its files in a store; UCF-101's is `CLASS/v_CLASS_gXX_cYY`.
        action: its class; empty where it has no label.
        group: clips of one group of a class share people and place, or content: they stay in one split.
        expected: how many frames it should have; None where nobody has looked.
        fault: it is not to be stored, and why.
        name_in_use: what a video with a fault would be called without it, and what its masks are.
    """

    name: str
    path: Path
    action: str
    group: int
    split: Split
    expected: int | None = None
    fault: Rejection | None = None
    name_in_use: str = ""


class VideoDataset(Protocol):
    """A data set: which videos there are, and which is in which split."""

    def selection(self) -> dict[str, Any]:
        """The choices that decide which video is in which split, as plain values by setting; nothing is read."""

    def videos(self) -> list[Video]:
        """All videos, those with a fault too, each with a name of its own.

        Raises:
            UserError: the data set is not there, or not of its form.
        """
