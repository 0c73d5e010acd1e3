"""`data=kinetics`: Kinetics-400, -600 and -700 by their lists, `label,youtube_id,time_start,time_end,split`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fbm.data.dataset import Split
from fbm.data.datasets.entries import SPLIT_WORDS, label_text, split_of
from fbm.data.datasets.file_lists import Row, read_table
from fbm.data.datasets.published import Listed, PublishedVideos
from fbm.utils.errors import UserError

COLUMNS = {name: (name,) for name in ("label", "youtube_id", "time_start", "time_end", "split")}
NEEDED = ("label", "youtube_id", "time_start", "time_end")
# train.csv, validate.csv, kinetics_400_val.csv: the word at the end.
LIST = re.compile(rf"(?:.*[_-])?({'|'.join(SPLIT_WORDS)})", re.IGNORECASE)


@dataclass(frozen=True)
class Kinetics(PublishedVideos):
    """Kinetics; videos are named `ID_000010_000020` after the seconds on YouTube, with any extension.

    Args:
        test: "official" tests on the list test.csv, if there is one with labels; "val" on the official validation
            list, to which published accuracies refer, and validation is drawn from training.
    """

    test: Literal["official", "val"] = "official"

    @property
    def list_folders(self) -> Sequence[str]:
        return ("annotations", "lists")

    def listed(self) -> list[Listed]:
        """All rows of the lists that are used."""
        files = self._files()
        if "train" not in files:
            raise UserError(f"no list train.csv in {self._lists()}: name the folder of the lists, data.lists=FOLDER")
        if self.test == "val" and "val" not in files:
            raise UserError(f"no list val.csv or validate.csv in {self._lists()}, which data.test=val tests on")
        if self.test == "val":
            files.pop("test", None)
        listed = [self._listed(row, split) for split, file in files.items() for row in _rows(file, split)]
        known = {one.label for one in listed if one.split == "train"}
        if unknown := [one for one in listed if one.label not in known]:
            raise UserError(f"{unknown[0].place}: no training video has the label {unknown[0].label!r}")
        return listed

    def _files(self) -> dict[Split, Path]:
        """The list of each split, by its name."""
        files: dict[Split, Path] = {}
        for path in sorted(self._lists().glob("*.csv")):
            if match := LIST.fullmatch(path.stem):
                other = files.setdefault(SPLIT_WORDS[match[1].casefold()], path)
                if other != path:
                    raise UserError(f"{other} and {path} are lists of one split: name a folder with one, data.lists=")
        order: tuple[Split, ...] = ("train", "val", "test")
        return {split: files[split] for split in order if split in files}

    def _listed(self, row: Row, of_file: Split) -> Listed:
        values = row.values
        split = split_of(values["split"], row.place) if "split" in values else of_file
        if self.test == "val" and split == "val":
            split = "test"
        seconds = [_whole_seconds(row, column) for column in ("time_start", "time_end")]
        file = "_".join([values["youtube_id"], *(f"{number:06}" for number in seconds)])
        return Listed(row.place, file, label_text(values["label"]), values["youtube_id"], split)


def _rows(file: Path, split: Split) -> list[Row]:
    try:
        return read_table(file, COLUMNS, NEEDED)
    except UserError as error:
        raise UserError(f"{error}{'; data.test=val does without it' if split == 'test' else ''}") from error


def _whole_seconds(row: Row, column: str) -> int:
    try:
        return int(float(row.values[column]))
    except (ValueError, OverflowError) as error:
        raise UserError(f"{row.place}: {column}={row.values[column]} is not a number of seconds") from error
