"""Which labelled videos belong together, and that these are never in two splits."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from fbm.data.dataset import Split
from fbm.data.datasets.dedup import by_size, checksums, connected_groups, ucf_group
from fbm.data.datasets.draw import check_seed, check_share, draw, quota
from fbm.data.datasets.entries import Entry
from fbm.data.datasets.walk import is_video
from fbm.utils.errors import UserError


def contents(entries: Sequence[Entry]) -> list[str | Path]:
    """What each entry is a part of: the checksum of its file, or its path if no other file has its size."""
    sums = checksums(by_size(dict.fromkeys(entry.path for entry in entries if entry.usable)).values())
    return [sums.get(entry.path, entry.path) for entry in entries]


def check_labels(entries: Sequence[Entry], content: Sequence[str | Path]) -> None:
    """Check that nothing is listed twice, and that no frame has two labels.

    Raises:
        UserError: names the first two entries that contradict each other.
    """
    of_file: dict[str | Path, list[Entry]] = {}
    for entry, own in zip(entries, content, strict=True):
        of_file.setdefault(own, []).append(entry)
    for several in of_file.values():
        running: list[Entry] = []  # those that have not ended when the next one starts
        for entry in sorted(several, key=lambda entry: entry.start):
            running = [other for other in running if other.end is None or other.end > entry.start]
            for other in running:
                _check_pair(other, entry)
            running.append(entry)


def _check_pair(one: Entry, other: Entry) -> None:
    alike = "one file" if one.path == other.path else "the same content"
    if one.label != other.label:
        raise UserError(
            f"{one.place} and {other.place} are {alike} with two labels, {one.label!r} and {other.label!r}: keep one, "
            "or give them segments that do not overlap (start, end)"
        )
    if (one.path, one.start, one.end) == (other.path, other.start, other.end):
        raise UserError(f"{one.place} and {other.place} are the same video: remove one")


def numbered(entries: Sequence[Entry], content: Sequence[str | Path]) -> list[int]:
    """The group of each entry, from 1: those of one group, one file or the same content are in one."""
    marks = [
        [mark for mark in (own, None if entry.group is None else ("group", entry.group)) if mark is not None]
        for entry, own in zip(entries, content, strict=True)
    ]
    return connected_groups(marks)


def check_given(entries: Sequence[Entry], groups: Sequence[int]) -> None:
    """Check that the splits that are given keep groups together.

    Raises:
        UserError: says how many groups are in several splits, and names the first.
    """
    first: dict[int, Entry] = {}
    leaks: dict[int, tuple[Entry, Entry]] = {}
    for entry, group in zip(entries, groups, strict=True):
        one = first.setdefault(group, entry)
        if one.split != entry.split:
            leaks.setdefault(group, (one, entry))
    if leaks:
        one, other = next(iter(leaks.values()))
        raise UserError(
            f"the splits leak: {len(leaks)} of {len(first)} groups are in more than one, the first with {one.place} "
            f"in {one.split} and {other.place} in {other.split} ({_reason(one, other)}); data.splits=draw draws them "
            "by group instead"
        )


def _reason(one: Entry, other: Entry) -> str:
    if one.group is not None and one.group == other.group:
        return f"both of group {one.group}"
    return "one file" if one.path == other.path else "the same content, or of one group with it"


def draw_missing(
    entries: Sequence[Entry], groups: Sequence[int], test: float, validation: float, seed: int
) -> dict[int, Split]:
    """The split of each group: the one that is given, or drawn for test and validation where none is.

    Args:
        entries: usable ones; their split is None or given.
        test, validation: shares of each class's groups that are not in a split already, or for training.

    Raises:
        UserError: a share is wrong, or a class has fewer groups than splits.
    """
    check_share("data.test", test)
    check_share("data.validation", validation)
    if not test + validation < 1:
        raise UserError(f"data.test={test} and data.validation={validation} leave nothing to train on")
    check_seed("data.split_seed", seed)
    settled: dict[int, Split] = {group: entry.split or "train" for entry, group in zip(entries, groups, strict=True)}
    given = set(settled.values())
    shares: dict[Split, float] = {"test": test, "val": validation}
    wanted = {split: share for split, share in shares.items() if share and split not in given}
    groups_of: dict[str, dict[int, None]] = {}
    for entry, group in zip(entries, groups, strict=True):
        if settled[group] == "train":
            groups_of.setdefault(entry.label, {})[group] = None
    whole = {action: len(own) for action, own in groups_of.items()}
    _check_enough(whole, wanted)
    for split, share in wanted.items():
        free = {action: [group for group in own if settled[group] == "train"] for action, own in groups_of.items()}
        counts = {action: quota(share, whole[action], len(free[action])) for action in free}
        settled |= dict.fromkeys(draw(free, counts, seed), split)
        _note_lacking(split, (action for action, own in groups_of.items() if all(settled[g] != split for g in own)))
    return settled


def _check_enough(groups: dict[str, int], wanted: dict[Split, float]) -> None:
    for action, count in groups.items():
        if count <= len(wanted):
            keys = {"test": "data.test", "val": "data.validation"}
            raise UserError(
                f"class {action!r} has {count} group{'s' * (count > 1)} of videos to divide between train and "
                f"{' and '.join(wanted)}, which are drawn by whole groups: add videos of other recordings, "
                f"or set {' or '.join(f'{keys[split]}=0' for split in wanted)}"
            )


def _note_lacking(split: Split, classes: Iterable[str]) -> None:
    """Print which classes have no video in a split, as happens if all their groups are of other classes too."""
    if names := list(classes):
        print(f"no {split} video has the class {', '.join(names)}: its groups are needed for training")


def with_groups(entries: Sequence[Entry], group_by: str) -> list[Entry]:
    """The entries, those without a group with one that follows from their path, see `Classes`.

    Raises:
        UserError: `group_by` is not a regular expression with one group, or does not match all paths.
    """
    return [
        replace(entry, group=_ucf101(entry) or group) if entry.group is None and is_video(entry) else entry
        for entry, group in zip(entries, _by_path(entries, group_by), strict=True)
    ]


def _ucf101(entry: Entry) -> str | None:
    """The group of a name as in UCF-101."""
    named = ucf_group(entry.path.name)
    return f"g{named.group:02} of {named.action}" if named else None


def _by_path(entries: Sequence[Entry], group_by: str) -> list[str | None]:
    if group_by == "content":
        return [None] * len(entries)
    if group_by == "folder":
        return ["/".join(entry.folders) or None for entry in entries]
    try:
        pattern = re.compile(group_by)
    except re.error as error:
        raise UserError(f"data.group_by={group_by}: not content, folder or a regular expression: {error}") from error
    if pattern.groups != 1:
        raise UserError(
            f"data.group_by={group_by}: it should be content, folder, or a regular expression with one parenthesis, "
            "which names the group: (person[0-9]+)"
        )
    found = [pattern.search("/".join(entry.parts)) for entry in entries]
    names = [match[1] if match else None for match in found]
    if unmatched := [e for e, name in zip(entries, names, strict=True) if not name and is_video(e) and e.group is None]:
        raise UserError(
            f"data.group_by={group_by} matches {len(entries) - len(unmatched)} of {len(entries)} videos, and not "
            f"{'/'.join(unmatched[0].parts)}"
        )
    return names
