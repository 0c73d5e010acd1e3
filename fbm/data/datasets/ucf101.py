"""UCF-101 as published: `UCF-101/CLASS/v_CLASS_gXX_cYY.avi` and the official split files."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

from fbm.data.dataset import Video, VideoDataset
from fbm.data.datasets.draw import check_seed, check_share, draw, quota
from fbm.data.datasets.file_lists import fields, is_header, read_lines
from fbm.data.datasets.ucf24 import ANNOTATED_CLASSES, VALIDATION_GROUPS
from fbm.utils.errors import UserError
from fbm.utils.messages import first_names
from fbm.utils.suggest import did_you_mean

NAME = re.compile(r"(?P<folder>\w+)/v_(?P<class>\w+)_g(?P<group>\d\d)_c(?P<clip>\d\d)")
LINE = "one CLASS/v_CLASS_gXX_cYY.avi"  # of a list


class SplitVideo(Protocol):
    """A video that belongs to a split."""

    @property
    def name(self) -> str: ...
    @property
    def action(self) -> str: ...
    @property
    def group(self) -> int: ...
    @property
    def split(self) -> str: ...


Part = Literal["train", "test"]
PARTS: tuple[Part, ...] = ("train", "test")  # the official lists of a split


@dataclass(frozen=True)
class UCF101(VideoDataset):
    """The videos of a UCF-101 folder and their splits.

    Args:
        root: holds `UCF-101/` and `ucfTrainTestlist/`.
        classes: "present" (those with a folder on disk), "all" (those of the lists, 101), "annotated" (the 24 with
            boxes), or a list of names.
        split: official split 1, 2 or 3; "all" puts every video into training (for pretraining; no test split).
        validation: share of each class's training groups that go to validation as whole groups, at least one
            if the class has two; or "paper", the published groups of the 24 classes.
        validation_seed: of the draw of these groups.
    """

    root: Path | None
    classes: Literal["present", "all", "annotated"] | Sequence[str] = "present"
    split: Literal[1, 2, 3, "all"] = 1
    validation: float | Literal["paper"] = 0.1
    validation_seed: int = 0

    def selection(self) -> dict[str, Any]:
        """The settings that decide which video is in which split, as plain values; reads nothing."""
        classes = self.classes if isinstance(self.classes, str) else sorted(self.classes)
        choices = {"classes": classes, "split": self.split, "validation": self.validation}
        # Published groups do not depend on the seed.
        return choices if self.validation == "paper" else {**choices, "validation_seed": self.validation_seed}

    def class_names(self) -> list[str]:
        """The chosen classes in label order (alphabetical, which is the annotated ones' published order).

        Raises:
            UserError: the root or a class does not exist, or is empty.
        """
        folders = self._folders()
        if self.classes == "present":
            return sorted(folder.name for folder in folders.values())
        if self.classes == "all":
            chosen: Sequence[str] = sorted({name.split("/")[0] for part in PARTS for name in self._lists(part)})
        else:
            chosen = ANNOTATED_CLASSES if self.classes == "annotated" else self.classes
        absent = [name for name in chosen if name.casefold() not in folders]
        if absent and (len(absent) > 1 or isinstance(self.classes, str)):
            raise UserError(
                f"{len(absent)} of {len(chosen)} classes have no folder in {self._top()}: {first_names(absent)}; "
                "data.classes=present (of data=ucf101) takes those that are there"
            )
        if absent:
            present = [folder.name for folder in folders.values()]
            raise UserError(f"class {absent[0]!r} has no folder in {self._top()}{did_you_mean(absent[0], present)}")
        return sorted(set(chosen))

    def videos(self) -> list[Video]:
        """All listed videos of the chosen classes, sorted by name, with their split.

        Raises:
            UserError: the root, a class or a split file is missing or malformed, or a group is in two splits.
        """
        folders = self._folders()
        classes = {name.casefold(): name for name in self.class_names()}
        listed: dict[str, list[Video]] = {
            part: [video for video in self._listed(part, folders) if video.action.casefold() in classes]
            for part in PARTS
        }
        if not listed["train"]:
            raise UserError(f"the training list of split {self.split} names no video of {sorted(classes.values())}")
        listed_classes = {video.action.casefold() for videos in listed.values() for video in videos}
        if self.classes != "present" and (gone := sorted(classes[key] for key in classes.keys() - listed_classes)):
            raise UserError(f"class {gone[0]!r}: the lists of split {self.split} name no video of it")
        held_out = self._validation_groups(listed["train"])
        train = [replace(v, split="val") if (v.action, v.group) in held_out else v for v in listed["train"]]
        videos = sorted([*train, *listed["test"]], key=lambda video: video.name)
        check_no_leak(videos)
        return videos

    def _root(self) -> Path:
        if self.root is None:
            raise UserError("data.root is not given: the folder that holds UCF-101/ and ucfTrainTestlist/")
        root = Path(self.root)
        if not root.is_dir():
            raise UserError(f"data.root={root}: no such folder")
        return root

    def _top(self) -> Path:
        folder = self._root() / "UCF-101"
        if not folder.is_dir():
            raise UserError(f"data.root={self.root} holds no folder UCF-101 (with one folder per class)")
        return folder

    def _folders(self) -> dict[str, Path]:
        """The folder of each class by its name in lower case: archives differ in HandstandPushups' capitals."""
        folders: dict[str, Path] = {}
        for folder in sorted(folder for folder in self._top().iterdir() if folder.is_dir()):
            if other := folders.get(folder.name.casefold()):
                raise UserError(f"{other} and {folder} are folders of one class: put their videos into one")
            folders[folder.name.casefold()] = folder
        if not folders:
            raise UserError(f"{self._top()} is empty: it should hold a folder per class with v_CLASS_gXX_cYY.avi files")
        return folders

    def _lists(self, part: Part) -> list[str]:
        """The names on one official list; with split "all", both lists are training lists."""
        if self.split == "all":
            files = ["trainlist01.txt", "testlist01.txt"] if part == "train" else []
        else:
            files = [f"{part}list0{self.split}.txt"]
        return [name for file in files for name in read_split_file(self._root() / "ucfTrainTestlist" / file)]

    def _listed(self, part: Part, folders: dict[str, Path]) -> Iterator[Video]:
        """The videos of one official list whose class has a folder, by their names on the list."""
        for name in self._lists(part):
            fields = NAME.fullmatch(name)
            assert fields is not None, name  # checked by read_split_file
            if folder := folders.get(fields["folder"].casefold()):
                path = folder / f"{name.split('/')[1]}.avi"
                yield Video(name, path, fields["folder"], int(fields["group"]), part)

    def _validation_groups(self, train: list[Video]) -> set[tuple[str, int]]:
        groups = {
            action: sorted({v.group for v in train if v.action == action}) for action in {v.action for v in train}
        }
        if self.validation == "paper":
            if self.split in (2, 3):
                raise UserError(
                    f"data.validation=paper belongs to split 1, and split {self.split} tests on some of its groups; "
                    "give a share instead, data.validation=0.1"
                )
            unknown = sorted(set(groups) - set(VALIDATION_GROUPS))
            if unknown:
                raise UserError(
                    f"data.validation=paper names groups of the 24 annotated classes only, not of {unknown[0]}; "
                    "give a share instead, data.validation=0.1"
                )
            return {(action, group) for action in groups for group in VALIDATION_GROUPS[action]}
        share = float(self.validation)
        check_share("data.validation", share, ", or the word paper")
        check_seed("data.validation_seed", self.validation_seed)
        named = {action: [(action, group) for group in groups[action]] for action in groups}
        return draw(named, {action: quota(share, len(named[action])) for action in named}, self.validation_seed)


def read_split_file(path: Path) -> list[str]:
    """The names `CLASS/v_CLASS_gXX_cYY` of an official list, with or without labels, as `fields` separates them.

    Raises:
        UserError: the file does not exist, or a line does not begin with `CLASS/v_CLASS_gXX_cYY.avi` (no line can point
            outside the root).
    """
    if not path.is_file():
        raise UserError(f"no split file {path}: the official lists belong in ucfTrainTestlist/")
    names = []
    for number, line in enumerate(read_lines(path, LINE), start=1):
        if not line or (number == 1 and is_header(line)):
            continue
        first = fields(line)[0]
        name = first.removesuffix(".avi")
        match = NAME.fullmatch(name)
        # The folder HandstandPushups has files v_HandStandPushups: only capitals may differ.
        if not match or name == first or match["folder"].casefold() != match["class"].casefold():
            raise UserError(
                f"{path}, line {number}: {first!r} is not of the form CLASS/v_CLASS_gXX_cYY.avi; a label may follow"
            )
        names.append(name)
    return names


def check_no_leak(videos: Iterable[SplitVideo]) -> None:
    """Check that no video and no group of a class is in two splits.

    Raises:
        UserError: names the first one that is.
    """
    seen: dict[tuple[str, int], SplitVideo] = {}
    names: set[str] = set()
    for video in videos:
        other = seen.setdefault((video.action, video.group), video)
        if other.split != video.split:
            raise UserError(
                f"the splits leak: group g{video.group:02} of {video.action} is in {other.split} ({other.name}) "
                f"and in {video.split} ({video.name}); fix the split files"
            )
        if video.name in names:
            raise UserError(f"the split files list {video.name} twice; fix the split files")
        names.add(video.name)
