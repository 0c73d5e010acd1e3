"""Folders of labelled videos: ROOT/CLASS/**, or ROOT/{train,val,test}/CLASS/**, recognised by content."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from fbm.data.dataset import Split
from fbm.data.datasets.entries import SPLIT_WORDS, Entry, label_text
from fbm.data.datasets.probing import first_fault, probed
from fbm.data.datasets.walk import files_below, is_video
from fbm.utils.errors import UserError

RESERVED = ("annotations", "masks")  # where masks=boxes and masks=files look


def scan_class_folders(root: Path) -> list[Entry]:
    """Every file below the class folders; those that are no videos have no label, and a fault.

    Raises:
        UserError: there are no class folders, one holds no video, or a video is in none.
    """
    if not root.is_dir():
        raise UserError(f"data.root={root}: no such folder")
    tops = _tops(root)
    entries = _probed(list(_entries(tops)))
    filled = {entry.label for entry in entries}
    for top in tops:
        for folder in _folders(top):
            if label_text(folder.name) not in filled:
                inside = (entry for entry in entries if entry.path.is_relative_to(folder))
                faults = [(entry.path.name, entry.fault.reason) for entry in inside if entry.fault]
                reason = first_fault(faults) if faults else "it is empty"
                raise UserError(
                    f"class {folder.name!r} has no video in {folder}: {reason}; remove the folder or add videos"
                )
    return entries


def _entries(tops: dict[Path, Split | None]) -> Iterator[Entry]:
    seen: set[str] = set()
    for top, split in tops.items():
        _check_none_beside(top)
        for folder in _folders(top):
            for file in files_below(folder, seen):
                folders = file.parts[1:-1]
                yield Entry(str(file.path), file.path, file.parts, folders, label_text(folder.name), None, split)


def _tops(root: Path) -> dict[Path, Split | None]:
    """The folders that hold class folders: the root, or one for each split."""
    folders = _folders(root)
    splits: dict[Path, Split | None] = {
        folder: SPLIT_WORDS[folder.name.casefold()] for folder in folders if _names_split(folder)
    }
    if not folders:
        raise UserError(f"data.root={root} holds no folders: it should hold one a class, or name a csv, data.csv=FILE")
    if len(splits) == len(folders) and "train" in splits.values():
        _check_none_beside(root)
        return splits
    if len(set(splits.values())) > 1 and "train" in splits.values():
        other = next(folder.name for folder in folders if folder not in splits)
        raise UserError(
            f"data.root={root} holds folders of splits ({', '.join(folder.name for folder in splits)}) beside {other}: "
            "it should hold folders of classes alone, or of splits alone"
        )
    return {root: None}


def _names_split(folder: Path) -> bool:
    return folder.name.casefold() in SPLIT_WORDS


def _folders(top: Path) -> list[Path]:
    return sorted(
        path for path in top.iterdir() if path.is_dir() and not path.name.startswith(".") and path.name not in RESERVED
    )


def _check_none_beside(top: Path) -> None:
    """Check that no video is beside the class folders, where it has no class; other files may be there."""
    files = sorted(path for path in top.iterdir() if path.is_file() and not path.name.startswith("."))
    if not files:
        return
    videos = [file for file, (_, fault) in zip(files, probed(files), strict=True) if fault is None]
    if videos:
        raise UserError(
            f"{len(videos)} video{'s' * (len(videos) > 1)} in {top} {'are' if videos[1:] else 'is'} in no class "
            f"folder, the first is {videos[0].name}: move it into one, or name a csv, data.csv=FILE"
        )


def _probed(entries: list[Entry]) -> list[Entry]:
    """The entries with what their content says."""
    made = [
        replace(entry, expected=frames, fault=fault)
        for entry, (frames, fault) in zip(entries, probed([entry.path for entry in entries]), strict=True)
    ]
    return [entry if is_video(entry) else replace(entry, label="") for entry in made]
