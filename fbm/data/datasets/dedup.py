"""Duplicates, test videos and groups among the files of folders."""

import re
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from fbm.data.dataset import Rejection, Video
from fbm.data.datasets.walk import File
from fbm.data.decoding.video import Exclusion
from fbm.utils.files import checksum
from fbm.utils.progress import progress

UCF_NAME = re.compile(r"v_(?P<class>\w+)_g(?P<group>\d\d)_c\d\d(\..*)?")


class UCFGroup(NamedTuple):
    """A group of UCF-101's clips; its class in lower case, since names differ in capitals."""

    action: str
    group: int


@dataclass(frozen=True)
class ScannedFile:
    """A file that was probed.

    Attributes:
        expected: frames that it should have.
        content: its checksum; empty if no other file has its size.
        fault: why it is not stored.
    """

    file: File
    expected: int = 0
    content: str = ""
    fault: Rejection | None = None

    @property
    def group(self) -> UCFGroup | None:
        """The group in its name, if it is named as in UCF-101."""
        return ucf_group(self.file.path.name)

    @property
    def marks(self) -> list[Hashable]:
        """What it has in common with the other files of its group."""
        return [mark for mark in (self.content, self.group) if mark]

    def excluded(self, status: Exclusion, reason: str) -> "ScannedFile":
        """The same file, with a fault."""
        return replace(self, fault=Rejection(status, reason))


def ucf_group(name: str) -> UCFGroup | None:
    """The group of `v_CLASS_gXX_cYY` with any ending; None for other names."""
    named = UCF_NAME.fullmatch(name)
    return UCFGroup(named["class"].casefold(), int(named["group"])) if named else None


def with_checksums(
    found: Sequence[ScannedFile], labelled: Sequence[Video]
) -> tuple[list[ScannedFile], dict[str, Video]]:
    """The files, with checksums if others have their size; and UCF-101's videos of these sizes by checksum.

    UCF-101's videos are not compared with each other.
    """
    sizes = by_size(one.file.path for one in found if not one.fault)
    others = by_size(video.path for video in labelled)
    sums = checksums([*paths, *others.get(size, ())] for size, paths in sizes.items())
    contents = {sums[video.path]: video for video in labelled if video.path in sums}
    return [one if one.fault else replace(one, content=sums.get(one.file.path, "")) for one in found], contents


def by_size(paths: Iterable[Path]) -> dict[int, list[Path]]:
    """Files by their size in bytes, without those that cannot be found."""
    sizes: dict[int, list[Path]] = {}
    for path in paths:
        with suppress(OSError):  # reported when it is decoded
            sizes.setdefault(path.stat().st_size, []).append(path)
    return sizes


def checksums(sizes: Iterable[Collection[Path]]) -> dict[Path, str]:
    """The checksums of files that are not the only one of their size: no others can have the same content.

    Args:
        sizes: the files of each size.
    """
    alike = sorted({path for several in sizes if len(several) > 1 for path in several})
    sums = {}
    if alike:
        with progress("same sizes", len(alike), "files") as advance:
            for path in alike:
                with suppress(OSError):
                    sums[path] = checksum(path)
                advance()
    return sums


def drop_test_videos(
    found: Sequence[ScannedFile], of_ucf101: Mapping[str, Video], tested: set[UCFGroup]
) -> list[ScannedFile]:
    """Leave out videos that are named as test videos, or have the content of a test or validation video.

    Args:
        of_ucf101: videos of the mix by content.
        tested: groups on the test list.
    """
    held = {content: f"{video.name}, a {video.split} video" for content, video in of_ucf101.items()}
    excluded = {content: video for content, video in held.items() if of_ucf101[content].split != "train"}
    named = [not one.fault and one.group in tested for one in found]
    for one, listed in zip(found, named, strict=True):
        if listed and one.content:
            excluded.setdefault(one.content, f"{one.file.name()}, a test video by its name")
    made = []
    for one, listed in zip(found, named, strict=True):
        if listed:
            one = one.excluded("test_video", "named as one of a group on UCF-101's test list")
        elif not one.fault and one.content in excluded:
            one = one.excluded("test_video", f"same file as {excluded[one.content]}")
        made.append(one)
    return made


def drop_duplicates(found: Sequence[ScannedFile], of_ucf101: Mapping[str, Video]) -> list[ScannedFile]:
    """Leave out files with the content of an earlier one, or of a video of UCF-101 that is not in the test split."""
    known = {content: video.name for content, video in of_ucf101.items() if video.split != "test"}
    made = []
    for one in found:
        if not one.fault and one.content:
            if one.content in known:
                one = one.excluded("duplicate", f"same file as {known[one.content]}")
            else:
                known[one.content] = one.file.name()
        made.append(one)
    return made


def connected_groups(marks: Sequence[Collection[Hashable]]) -> list[int]:
    """A group number for each file, from 1: files with a mark in common, such as content or a name, share one."""
    from scipy.cluster.hierarchy import DisjointSet

    joined = DisjointSet(range(len(marks)))
    first: dict[Hashable, int] = {}
    for number, own in enumerate(marks):
        for mark in own:
            joined.merge(number, first.setdefault(mark, number))
    roots = [joined[number] for number in range(len(marks))]
    numbers = {root: place for place, root in enumerate(dict.fromkeys(roots), start=1)}
    return [numbers[root] for root in roots]
