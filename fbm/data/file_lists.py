"""Lists of files as people and programs write them: with labels, quotes, commas, or a byte-order mark."""

import codecs
import csv
import os
import re
from pathlib import Path

from fbm.utils.errors import UserError

UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
HEADS = frozenset(["path", "paths", "video", "videos", "file", "filename", "file_name", "name", "video_path", "clip"])


def read_lines(path: Path, form: str) -> list[str]:
    """The lines of a text file, without the space around them; empty ones stay, so that they can be counted.

    Names in another encoding than UTF-8 come through, see `os.fsdecode`.

    Args:
        form: of a line, for the error.

    Raises:
        UserError: it cannot be read, or is no text.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"the list {path} cannot be read: {error.strerror}") from error
    try:
        text = content.decode("utf-16") if content.startswith(UTF16) else os.fsdecode(content).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise UserError(f"the list {path} is not text: it should hold {form} a line") from error
    if "\0" in text:
        raise UserError(f"the list {path} is not text: it should hold {form} a line")
    return [line.strip() for line in re.split("\r\n|\r|\n", text)]


def fields(line: str) -> list[str]:
    """The values of a line between tabs, semicolons or commas, or else between spaces; those in quotes as one."""
    separator = next((mark for mark in "\t;," if mark in line), " ")
    values = next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])
    return [value.strip().strip("'") for value in values]


def is_header(line: str) -> bool:
    """Whether a line names columns."""
    return any(value.casefold() in HEADS for value in fields(line))


def resolve_path(line: str, folder: Path) -> Path:
    """The file that a line names, by its own path or one in `folder`; what stands beside it is a label, say.

    A name may hold spaces and commas, so what is there decides; where nothing is, it is the whole line.
    """
    shorter = [line.rsplit(mark, 1)[0].strip() for mark in (" ", "\t", ",", ";")]
    unquoted = [value.strip("\"'") for value in (line, *shorter)]
    for value in (line, *shorter, *unquoted, *fields(line)):
        if value and (folder / value).is_file():
            return folder / value
    return folder / line
