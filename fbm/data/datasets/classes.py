"""`data=classes`: labelled videos of one's own, in folders of classes or in a csv."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from fbm.data.dataset import Split, Video, VideoDataset
from fbm.data.datasets.class_folders import scan_class_folders
from fbm.data.datasets.entries import Entry, as_videos, of_classes
from fbm.data.datasets.grouping import check_given, check_labels, contents, draw_missing, numbered, with_groups
from fbm.data.datasets.video_table import read_video_tables
from fbm.utils.errors import UserError


@dataclass(frozen=True)
class Classes(VideoDataset):
    """Labelled videos in ROOT/CLASS/**, in ROOT/{train,val,test}/CLASS/**, or in the rows of a csv.

    Args:
        root: holds a folder for each class, or for each split; with `csv`, what its paths are relative to.
        csv: a file, or several, with the columns `path,label` and perhaps `group,split,start,end`; files that are named
            after a split need no such column.
        classes: "present", or a list of names.
        splits: "given" takes those of the folders or the csv, and draws only those of val and test that none has;
            "draw" draws both.
        group_by: what groups videos that have no group in a csv: "content" (the same content), "folder" (also those
            of one folder below the class), or a regular expression on the path below the root, whose one parenthesis
            is the name of the group. Groups of one name are one group, in whatever class. Names as in UCF-101 have its
            groups.
        validation, test: share of each class's groups that is drawn, at least one.
        split_seed: of the draw.
    """

    root: Path | None = None
    csv: Path | list[Path] | None = None
    classes: Literal["present"] | Sequence[str] = "present"
    splits: Literal["given", "draw"] = "given"
    group_by: str = "content"
    validation: float = 0.1
    test: float = 0.2
    split_seed: int = 0

    def selection(self) -> dict[str, Any]:
        """The settings that decide which video is in which split."""
        classes = self.classes if isinstance(self.classes, str) else sorted(self.classes)
        return {**super().selection(), "classes": classes}

    def videos(self) -> list[Video]:
        """All videos; files of the folders that are no videos, and broken ones, have a fault.

        Raises:
            UserError: folders or csv are missing or malformed, a class has no video or too few groups, a frame has
                two labels, or the splits that are given leak.
        """
        found = self._found()
        entries = of_classes(found, self.classes, {entry.label for entry in found} - {""})
        _check_filled(entries)
        entries = with_groups(entries, self.group_by)
        if self.splits == "draw":
            entries = [replace(entry, split=None) for entry in entries]
        named = [entry for entry in entries if entry.fault is None]
        content = contents(named)
        check_labels(named, content)
        groups = dict(zip(map(id, named), numbered(named, content), strict=True))
        check_given(named, list(groups.values()))
        usable = [entry for entry in named if entry.usable]
        splits = draw_missing(
            usable, [groups[id(entry)] for entry in usable], self.test, self.validation, self.split_seed
        )
        return as_videos(
            entries,
            [groups.get(id(entry), 0) for entry in entries],
            [self._split(entry, splits.get(groups.get(id(entry), 0))) for entry in entries],
        )

    def _split(self, entry: Entry, settled: Split | None) -> Split:
        """A video that is not usable has no part in the draw."""
        return settled or entry.split or "train"

    def _found(self) -> list[Entry]:
        if self.csv is not None:
            files = self.csv if isinstance(self.csv, Sequence) and not isinstance(self.csv, str) else [self.csv]
            root = None if self.root is None else Path(self.root)
            if root is not None and not root.is_dir():
                raise UserError(f"data.root={root}: no such folder")
            return read_video_tables([Path(file) for file in files], root)
        if self.root is None:
            raise UserError(
                "data.root is not given: the folder of the videos, which holds a folder for each class; or name a csv "
                "with the columns path,label, data.csv=FILE"
            )
        return scan_class_folders(Path(self.root))


def _check_filled(entries: Sequence[Entry]) -> None:
    """Check that each class has a video that is there and, as far as is known, whole.

    Raises:
        UserError: names the first class that has none, and why.
    """
    of_label: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.label:
            of_label.setdefault(entry.label, []).append(entry)
    for label, own in of_label.items():
        if not any(entry.usable for entry in own):
            first = own[0]
            reason = first.fault.reason if first.fault else f"no such file: {first.path}"
            raise UserError(
                f"class {label!r} has no usable video; the first of {len(own)} is {first.place} ({reason}): remove the "
                "class or add videos"
            )
    if not of_label:
        raise UserError("there is no labelled video")
