"""The split lists, with the CRLF line ends of the official ones."""

from collections.abc import Iterable
from pathlib import Path

from fbm.data.demo.settings import CLASSES, Group, Settings


def write_lists(folder: Path, settings: Settings, groups: list[Group]) -> None:
    """`classInd.txt` and the three train and test lists: whole groups on one side or the other."""
    _write(folder / "classInd.txt", (f"{label} {name}" for label, name in enumerate(CLASSES, start=1)))
    for split in (1, 2, 3):
        test = held_out(settings, split)
        train_side = [group for group in groups if group.number not in test]
        test_side = [group for group in groups if group.number in test]
        train = (f"{name} {label}" for name, label in _videos(settings, train_side))
        _write(folder / f"trainlist{split:02d}.txt", train)
        _write(folder / f"testlist{split:02d}.txt", (name for name, _ in _videos(settings, test_side)))


def held_out(settings: Settings, split: int) -> set[int]:
    """The group numbers a split tests on: its own block of groups, going on from g01 after the last."""
    first = (split - 1) * settings.test_groups
    return {(first + i) % settings.groups + 1 for i in range(settings.test_groups)}


def _videos(settings: Settings, groups: list[Group]) -> Iterable[tuple[str, int]]:
    """File name and 1-based label of every clip."""
    for group in groups:
        for clip in range(1, settings.clips + 1):
            yield f"{group.video(clip)}.avi", group.label + 1


def _write(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(f"{line}\r\n" for line in lines), encoding="ascii", newline="")
