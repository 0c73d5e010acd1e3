"""`data=hmdb51`: HMDB-51 by its lists, `CLASS_test_splitN.txt` with a flag behind each name."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fbm.data.dataset import Split
from fbm.data.datasets.file_lists import read_lines
from fbm.data.datasets.published import Listed, PublishedVideos
from fbm.utils.errors import UserError

# The flag 0 is of videos that a split does not use.
FLAGS: dict[str, Split | None] = {"0": None, "1": "train", "2": "test"}
LINE = "NAME.avi and a flag, 0, 1 or 2,"


@dataclass(frozen=True)
class HMDB51(PublishedVideos):
    """HMDB-51: 70 training and 30 test videos of each class in a split.

    Args:
        split: official split 1, 2 or 3.
    """

    split: Literal[1, 2, 3] = 1

    @property
    def list_folders(self) -> Sequence[str]:
        return ("testTrainMulti_7030_splits", "test_train_splits/testTrainMulti_7030_splits", "annotations")

    def listed(self) -> list[Listed]:
        """The videos of all classes' lists that the split uses."""
        ending = f"_test_split{self.split}"
        files = sorted(self._lists().glob(f"*{ending}.txt"))
        if not files:
            raise UserError(
                f"no list CLASS{ending}.txt in {self._lists()}: name the folder testTrainMulti_7030_splits, "
                "data.lists=FOLDER"
            )
        listed = [one for file in files for one in _read(file, file.stem.removesuffix(ending))]
        if not any(one.split == "train" for one in listed):
            raise UserError(f"the lists of split {self.split} in {self._lists()} name no training video")
        return listed


def _read(file: Path, label: str) -> Iterator[Listed]:
    for number, line in enumerate(read_lines(file, LINE), start=1):
        if not line:
            continue
        place = f"{file}, line {number}"
        name, _, flag = line.rpartition(" ")
        if flag not in FLAGS or not name.strip() or "/" in name:
            raise UserError(f"{place}: {line!r} is not {LINE.removesuffix(',')}")
        if split := FLAGS[flag]:
            stem = Path(name.strip()).stem
            # MOVIE_CLASS_PROPERTIES: clips of one film are one group.
            film = re.split(rf"_{re.escape(label)}_", stem, flags=re.IGNORECASE)[0]
            yield Listed(place, stem, label, film, split)
