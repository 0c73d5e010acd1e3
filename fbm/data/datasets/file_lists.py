"""Parse lists of files as people and programs write them: with labels, quotes, commas, or a byte-order mark."""

import codecs
import csv
import os
import re
from pathlib import Path

from fbm.utils.errors import UserError

UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
HEADER_WORDS = frozenset(
    ["path", "paths", "video", "videos", "file", "filename", "file_name", "name", "video_path", "clip"]
)


def read_lines(path: Path, form: str) -> list[str]:
    """The stripped lines of a text file, empty ones included, so that line numbers are right.

    Names that are not UTF-8 are kept, see `os.fsdecode`.

    Args:
        form: of a line, for the error.

    Raises:
        UserError: it cannot be read, or is not text.
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
    """The values of a line, separated by tabs, semicolons or commas, or else by spaces; quotes are respected."""
    separator = next((mark for mark in "\t;," if mark in line), " ")
    values = next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])
    return [value.strip().strip("'") for value in values]


def is_header(line: str) -> bool:
    """Whether a line is a header of column names."""
    return any(value.casefold() in HEADER_WORDS for value in fields(line))


def resolve_path(line: str, folder: Path) -> Path:
    """The file that a line names, absolute or in `folder`; other values of the line, such as a label, are ignored.

    A name may contain spaces and commas, so the first reading that exists is taken, or else the whole line.
    """
    shorter = [line.rsplit(mark, 1)[0].strip() for mark in (" ", "\t", ",", ";")]
    unquoted = [value.strip("\"'") for value in (line, *shorter)]
    for value in (line, *shorter, *unquoted, *fields(line)):
        if value and (folder / value).is_file():
            return folder / value
    return folder / line
