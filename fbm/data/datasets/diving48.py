"""`data=diving48`: Diving-48 by its lists, `Diving48_V2_train.json` and so on, and `Diving48_vocab.json`."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fbm.data.dataset import Split
from fbm.data.datasets.published import Listed, PublishedVideos
from fbm.utils.errors import UserError

VOCABULARY = "Diving48_vocab.json"
PARTS: tuple[Split, ...] = ("train", "test")


@dataclass(frozen=True)
class Diving48(PublishedVideos):
    """Diving-48: dives in 48 classes, each named by its take-off, somersaults, twists and position.

    Args:
        version: of the labels: 2, cleaned in 2020, or 1.
    """

    version: Literal[1, 2] = 2

    @property
    def list_folders(self) -> Sequence[str]:
        return ("annotations", "lists")

    def listed(self) -> list[Listed]:
        """The videos of both lists."""
        folder, version = self._lists(), "V2_" if self.version == 2 else ""
        vocabulary = _vocabulary(folder / VOCABULARY)
        files = {part: folder / f"Diving48_{version}{part}.json" for part in PARTS}
        return [one for part, file in files.items() for one in _read(file, part, vocabulary)]


def _vocabulary(file: Path) -> list[str]:
    content = _json(file)
    if not isinstance(content, list) or not all(
        isinstance(words, list) and all(isinstance(word, str) for word in words) for words in content
    ):
        raise UserError(f"{file} is not Diving-48's vocabulary, a list of lists of words")
    return [" ".join(words) for words in content]


def _read(file: Path, split: Split, vocabulary: Sequence[str]) -> Iterator[Listed]:
    content = _json(file)
    if not isinstance(content, list) or not content:
        raise UserError(f"{file} is not a list of videos")
    for number, video in enumerate(content, start=1):
        place = f"{file}, video {number}"
        try:
            name, label, first = video["vid_name"], video["label"], video["start_frame"]
            known = type(label) is int and 0 <= label < len(vocabulary)
            wrong = not isinstance(name, str) or "/" in name
        except (KeyError, TypeError) as error:
            raise UserError(f"{place} lacks vid_name, label or start_frame") from error
        if wrong:
            raise UserError(f"{place}: vid_name={name!r} is not a name")
        if not known:
            raise UserError(f"{place}: label={label!r} is not in {VOCABULARY}, which has 0 to {len(vocabulary) - 1}")
        if first != 0:
            raise UserError(f"{place}: start_frame={first!r}, but Diving-48's videos are cut and start at 0")
        # ID_NUMBER: the dives of one recording are one group.
        yield Listed(place, name, vocabulary[label], name.rpartition("_")[0] or name, split)


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_bytes())
    except OSError as error:
        raise UserError(f"the list {file} cannot be read: {error.strerror}; give its folder, data.lists=") from error
    except ValueError as error:
        raise UserError(f"the list {file} is not JSON: {error}") from error
