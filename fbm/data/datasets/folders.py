"""`data=folder`: any folders of videos, without labels, alone or beside UCF-101."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from fbm.data.dataset import Split, Video, VideoDataset
from fbm.data.datasets.dedup import (
    ScannedFile,
    UCFGroup,
    connected_groups,
    drop_duplicates,
    drop_test_videos,
    ucf_group,
    with_checksums,
)
from fbm.data.datasets.draw import check_seed, check_share, draw, quota
from fbm.data.datasets.probing import first_fault, probed
from fbm.data.datasets.ucf101 import UCF101, read_split_file
from fbm.data.datasets.walk import File, folder_name, iter_files, names_of
from fbm.utils.errors import UserError

Choice = Literal["leave_out", "keep"]


@dataclass(frozen=True)
class Folders(VideoDataset):
    """All videos below some folders, unlabelled; and the labelled ones of UCF-101, if its root is given.

    Files are recognised by content. Other files, broken videos, duplicates and test videos have a fault.

    Args:
        folders: of videos; not needed for training, which reads the store.
        root, classes, split: see `UCF101`; root None takes the folders alone.
        validation: share of the folders' videos, and of UCF-101's groups, that go to validation; or "paper", for
            UCF-101's published groups and none of the folders' videos.
        validation_seed: of the draw.
        duplicates: whether a file with the content of an earlier one, or of a video of UCF-101, is left out.
        test_videos: whether a video is left out that has the content of a test or validation video of UCF-101, or is
            named like a video of a group on the test list of `split`.
        test_lists: folder with the official lists; None reads those in root.
    """

    folders: list[Path] | None = None
    root: Path | None = None
    classes: Literal["present", "all", "annotated"] | Sequence[str] = "present"
    split: Literal[1, 2, 3, "all"] = 1
    validation: float | Literal["paper"] = 0.1
    validation_seed: int = 0
    duplicates: Choice = "leave_out"
    test_videos: Choice = "leave_out"
    test_lists: Path | None = None

    @cached_property
    def _ucf101(self) -> UCF101:
        return UCF101(self.root, self.classes, self.split, self.validation, self.validation_seed)

    def selection(self) -> dict[str, Any]:
        """The settings that decide which video is in which split, and the names of the folders, without their paths."""
        places: dict[str, Any] = {}
        if self.folders:
            places["folders"] = sorted(folder_name(Path(folder)) for folder in self.folders)
        if self.root is not None:
            places["root"] = "UCF-101"
        return {**places, **self._ucf101.selection(), "duplicates": self.duplicates, "test_videos": self.test_videos}

    def videos(self) -> list[Video]:
        """UCF-101's videos and every file of the folders; files that are not stored have a fault.

        Raises:
            UserError: a folder or UCF-101 is missing or malformed, or no file is a video that can be opened.
        """
        if not self.folders:
            raise UserError("data.folders is not given: the folders of videos, data.folders=[PATH,PATH]")
        if self.validation == "paper" and self.root is None:
            raise UserError(
                "data.validation=paper is of UCF-101, which is not there; give a share, data.validation=0.1"
            )
        folders = [Path(folder) for folder in self.folders]
        labelled = self._ucf101.videos() if self.root is not None else []
        found, of_ucf101 = with_checksums(_scan(iter_files(folders)), labelled)
        for folder in folders:
            _check_any_video(folder, [one for one in found if one.file.path.is_relative_to(folder)])
        if self.test_videos == "leave_out":
            found = drop_test_videos(found, of_ucf101, self._tested(found))
        if self.duplicates == "leave_out":
            found = drop_duplicates(found, of_ucf101)
        return [*labelled, *self._placed(found, labelled, of_ucf101)]

    def _tested(self, found: list[ScannedFile]) -> set[UCFGroup]:
        """The groups on the official test list; prints a warning if it is needed and missing."""
        if self.split == "all":
            return set()
        folder = self.test_lists or (self.root and Path(self.root) / "ucfTrainTestlist")
        if folder is not None:
            listed = read_split_file(Path(folder) / f"testlist0{self.split}.txt")
            return {group for name in listed if (group := ucf_group(Path(name).name))}
        if named := sum(not one.fault and one.group is not None for one in found):
            print(
                f"{named} videos are named like UCF-101's; whether they are test videos is unknown without its "
                "lists: give data.test_lists=FOLDER, or data.test_videos=keep"
            )
        return set()

    def _placed(self, found: list[ScannedFile], labelled: list[Video], of_ucf101: dict[str, Video]) -> list[Video]:
        """The files as videos, with unique names and with groups that stay in one split."""
        whole = [one for one in found if not one.fault]
        groups = dict(zip(whole, connected_groups([one.marks for one in whole]), strict=True))
        splits = self._splits(groups, labelled, of_ucf101)
        taken = {video.name.casefold() for video in labelled}
        made = []
        for one, (name, name_in_use) in zip(found, names_of(found, taken), strict=True):
            if one.fault:
                made.append(Video(name, one.file.path, "", 0, "train", fault=one.fault, name_in_use=name_in_use))
            else:
                group = groups[one]
                split = splits.get(group, "train")
                made.append(Video(name, one.file.path, "", group, split, one.expected))
        return made

    def _splits(
        self, groups: dict[ScannedFile, int], labelled: list[Video], of_ucf101: dict[str, Video]
    ) -> dict[int, Split]:
        """The split of each group: that of UCF-101's video of the same group or content, else drawn."""
        own: dict[str | UCFGroup | None, Split] = {ucf_group(Path(video.name).name): video.split for video in labelled}
        own |= {content: video.split for content, video in of_ucf101.items()}
        settled: dict[int, Split] = {}
        for one, group in groups.items():
            for split in (own.get(one.content), own.get(one.group)):
                if split is not None:
                    # With test_videos=keep they are trained on.
                    settled.setdefault(group, "train" if split == "test" else split)
        free = [group for group in dict.fromkeys(groups.values()) if group not in settled]
        # The published groups are only of UCF-101.
        share = 0.0 if self.validation == "paper" else float(self.validation)
        check_share("data.validation", share, ", or the word paper")
        check_seed("data.validation_seed", self.validation_seed)
        drawn = draw({"": free}, {"": quota(share, len(free))}, self.validation_seed)
        return {**settled, **dict.fromkeys(drawn, "val")}


def _scan(files: list[File]) -> list[ScannedFile]:
    """Probe every file."""
    return [
        ScannedFile(file, frames or 0, fault=fault)
        for file, (frames, fault) in zip(files, probed([file.path for file in files]), strict=True)
    ]


def _check_any_video(folder: Path, found: list[ScannedFile]) -> None:
    faults = [(one.file.name(ending=True), f"{one.fault.status}: {one.fault.reason}") for one in found if one.fault]
    if len(faults) == len(found):
        raise UserError(f"data.folders: {folder} holds no video that can be opened; {first_fault(faults)}")
