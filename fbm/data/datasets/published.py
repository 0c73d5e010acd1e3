"""What published lists of videos have in common: official splits, and files that are found by their names."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from fbm.data.dataset import Split, Video, VideoDataset
from fbm.data.datasets.class_folders import RESERVED
from fbm.data.datasets.draw import check_seed, check_share, draw, quota
from fbm.data.datasets.entries import Entry, as_videos, of_classes
from fbm.data.datasets.walk import walk
from fbm.data.decoding.probe import probe_video
from fbm.data.decoding.video import VideoError
from fbm.utils.errors import UserError


@dataclass(frozen=True)
class Listed:
    """A video of a published list.

    Attributes:
        place: where it is named, for messages.
        file: its name without extension.
        group: the recording that it is from.
    """

    place: str
    file: str
    label: str
    group: str
    split: Split


@dataclass(frozen=True)
class PublishedVideos(VideoDataset):
    """The videos of a published list, in its splits.

    Args:
        root: holds the videos, at any depth.
        lists: folder of the official lists; None looks for it in the root.
        classes: "present", of which a video is there, or a list of names.
        validation: share of each class's training groups for validation, if the lists have none.
        validation_seed: of the draw.
    """

    root: Path | None = None
    lists: Path | None = None
    classes: Literal["present"] | Sequence[str] = "present"
    validation: float = 0.1
    validation_seed: int = 0

    @abstractmethod
    def listed(self) -> list[Listed]:
        """All videos of the lists.

        Raises:
            UserError: the lists are missing or malformed.
        """

    @property
    @abstractmethod
    def list_folders(self) -> Sequence[str]:
        """Where the lists may be in the root."""

    def selection(self) -> dict[str, Any]:
        """The settings that decide which video is in which split."""
        classes = self.classes if isinstance(self.classes, str) else sorted(self.classes)
        return {**super().selection(), "classes": classes}

    def videos(self) -> list[Video]:
        """The listed videos of the chosen classes, those that are missing too.

        Raises:
            UserError: root or lists are missing or malformed, or no listed video is there.
        """
        root = self._root()
        listed = self.listed()
        entries = list(_located(listed, root))
        vocabulary = {one.label for one in listed}
        if self.classes == "present":
            there = {entry.label for entry in entries if entry.there}
            entries = [entry for entry in entries if entry.label in there]
        entries = of_classes(entries, self.classes, vocabulary)
        if not any(entry.there for entry in entries):
            raise UserError(
                f"none of the {len(listed)} listed videos is below data.root={root}, not even {listed[0].file} with "
                "any extension"
            )
        entries = self._validated(entries)
        # Official splits may divide a recording: it is one group in each of them.
        numbers: dict[tuple[Split | None, str | None], int] = {}
        groups = [numbers.setdefault((entry.split, entry.group), len(numbers) + 1) for entry in entries]
        return as_videos(entries, groups, [entry.split or "train" for entry in entries])

    def _validated(self, entries: list[Entry]) -> list[Entry]:
        """The entries, with validation drawn from training if the lists have none."""
        check_share("data.validation", self.validation)
        check_seed("data.validation_seed", self.validation_seed)
        if any(entry.split == "val" for entry in entries):
            return entries
        groups_of: dict[str, dict[str | None, None]] = {}
        for entry in entries:
            if entry.split == "train" and entry.there:
                groups_of.setdefault(entry.label, {})[entry.group] = None
        wanted = {action: quota(self.validation, len(groups)) for action, groups in groups_of.items()}
        drawn = draw(groups_of, wanted, self.validation_seed)
        return [
            replace(entry, split="val") if entry.split == "train" and entry.group in drawn else entry
            for entry in entries
        ]

    def _root(self) -> Path:
        if self.root is None:
            raise UserError("data.root is not given: the folder of the videos")
        if not Path(self.root).is_dir():
            raise UserError(f"data.root={self.root}: no such folder")
        return Path(self.root)

    def _lists(self) -> Path:
        """The folder of the lists.

        Raises:
            UserError: it does not exist.
        """
        if self.lists is not None:
            if not Path(self.lists).is_dir():
                raise UserError(f"data.lists={self.lists}: no such folder")
            return Path(self.lists)
        for name in self.list_folders:
            if (folder := self._root() / name).is_dir():
                return folder
        return self._root()


def _located(listed: Sequence[Listed], root: Path) -> Iterator[Entry]:
    """The listed videos with their files.

    Of several files of one name a video is taken, and preferably one in a folder of its class; else the first, which
    of Kinetics-400 is in `replacement`, beside broken ones in `train`.
    """
    wanted = {one.file for one in listed}
    found: dict[str, list[Path]] = {}
    for inside, folders, files in walk(root, set()):
        if inside == root:
            folders[:] = [name for name in folders if name not in RESERVED]
        for name in files:
            if (stem := Path(name).stem) in wanted:
                found.setdefault(stem, []).append(inside / name)
    for one in listed:
        paths = sorted(found.get(one.file, []), key=lambda path: _plain(path.parent.name) != _plain(one.label))
        path = _first_video(paths) if paths else root / one.label / f"{one.file}.mp4"
        way = path.relative_to(root).parts[:-1] if paths else (one.label,)
        yield Entry(one.place, path, (*way, one.file), (), one.label, one.group, one.split, there=bool(paths))


def _first_video(paths: Sequence[Path]) -> Path:
    if not paths[1:]:
        return paths[0]
    for path in paths:
        with suppress(VideoError):
            probe_video(path)
            return path
    return paths[0]


def _plain(name: str) -> str:
    return name.casefold().replace("_", " ")
