"""Videos with a label, as folders and lists name them, before their groups and splits are settled."""

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fbm.data.dataset import Rejection, Split, Video, segment_name
from fbm.data.datasets.walk import File, names_of
from fbm.utils.errors import UserError
from fbm.utils.suggest import did_you_mean

# As data sets call their splits, in lower case.
SPLIT_WORDS: Mapping[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validate": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True)
class Entry:
    """A video of a folder or list.

    Attributes:
        place: where it is named, for messages.
        parts: of its path below the root, without extension.
        folders: those of its path that may name a group, without its class.
        label: empty for a file that is no video.
        group: what it has in common with the others of its group; None if nothing but perhaps its content.
        split: None if none is given.
        start, end: see `Video`.
        there: whether its file exists.
        fault: why it is not stored.
    """

    place: str
    path: Path
    parts: tuple[str, ...]
    folders: tuple[str, ...]
    label: str
    group: str | None = None
    split: Split | None = None
    start: float = 0.0
    end: float | None = None
    expected: int | None = None
    there: bool = True
    fault: Rejection | None = None

    @property
    def usable(self) -> bool:
        """Whether it is there and has no fault."""
        return self.fault is None and self.there

    @property
    def file(self) -> File:
        """Its file under the name of the segment."""
        segment = segment_name(self.start, self.end)
        *folders, last = self.parts
        return File(self.path, (*folders, f"{last}-{segment}" if segment else last))


def label_text(label: str) -> str:
    """A label as text that any file format can hold, in one line."""
    return " ".join(os.fsencode(label).decode("utf-8", "backslashreplace").split())


def split_of(word: str, place: str) -> Split:
    """The split that a word names.

    Raises:
        UserError: it names none.
    """
    split = SPLIT_WORDS.get(word.casefold())
    if split is None:
        raise UserError(f"{place}: {word!r} is not a split; it should be train, val or test")
    return split


def of_classes(entries: Sequence[Entry], classes: str | Sequence[str], vocabulary: Collection[str]) -> list[Entry]:
    """The entries of the chosen classes, all for "present", and the files without a label.

    Raises:
        UserError: a chosen class is not of the vocabulary.
    """
    if isinstance(classes, str):
        return list(entries)
    for name in classes:
        if name not in vocabulary:
            raise UserError(f"data.classes: there is no class {name!r}{did_you_mean(name, vocabulary)}")
    chosen = {*classes, ""}
    return [entry for entry in entries if entry.label in chosen]


def as_videos(entries: Sequence[Entry], groups: Iterable[int], splits: Iterable[Split]) -> list[Video]:
    """The videos, sorted by name, each with its group and split; names are those that `names_of` gives."""
    names = names_of(entries, set())
    videos = [
        Video(
            name,
            entry.path,
            entry.label,
            group,
            split,
            entry.expected,
            entry.fault,
            name_in_use,
            entry.start,
            entry.end,
        )
        for entry, (name, name_in_use), group, split in zip(entries, names, groups, splits, strict=True)
    ]
    return sorted(videos, key=lambda video: video.name)
