"""The interface of data sets: which videos there are, and which is in which split."""

import inspect
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from fbm.data.decoding.video import Status
from fbm.utils.signatures import path_parameters

Split = Literal["train", "val", "test"]


class Rejection(NamedTuple):
    """Why a file is not stored, as in its row of the manifest."""

    status: Status
    reason: str


@dataclass(frozen=True)
class Video:
    """One video of a data set.

    Attributes:
        name: of its files in a store, unique; UCF-101's is `CLASS/v_CLASS_gXX_cYY`.
        action: its class; empty if it has no label.
        group: clips of one group of a class are filmed at the same place or share content, and must be in one split.
            Without such groups, give each video a number of its own.
        expected: frames that it should have; None if unknown.
        fault: why it is not stored; None for every usable video.
        name_in_use: the name that a video with a fault would have without it, which its masks have.
        start, end: of the part of the file that it is, in seconds; an end of None is the file's.
    """

    name: str
    path: Path
    action: str
    group: int
    split: Split
    expected: int | None = None
    fault: Rejection | None = None
    name_in_use: str = ""
    start: float = 0.0
    end: float | None = None

    @property
    def segment(self) -> str:
        """`START-END` in seconds; empty if it is the whole file."""
        return segment_name(self.start, self.end)


def segment_name(start: float, end: float | None) -> str:
    """`START-END` in seconds, `START-end` up to the end of a file, or nothing for a whole file."""
    if not start and end is None:
        return ""
    return "-".join("end" if number is None else repr(number).removesuffix(".0") for number in (start, end))


class VideoDataset(ABC):
    """A data set; `data.source._target_` names a subclass.

    Parameters that are annotated as `Path` only say where files are: they are left out of run names, fingerprints and
    the store's record of the splits.
    """

    @abstractmethod
    def videos(self) -> list[Video]:
        """All videos, those with a fault too.

        Raises:
            UserError: the data set does not exist, or is malformed.
        """

    def selection(self) -> dict[str, Any]:
        """The settings that decide which video is in which split, as plain values by key; reads nothing.

        By default all parameters but paths, from the attributes of the same names. Training on a store that was
        prepared with other values is refused.
        """
        names = inspect.signature(type(self)).parameters.keys() - path_parameters(type(self))
        values = {name: getattr(self, name) for name in sorted(names)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
