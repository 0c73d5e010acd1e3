"""Parse lists of files as people and programs write them: with labels, quotes, commas, or a byte-order mark."""

import codecs
import csv
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fbm.utils.errors import UserError

UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
SEPARATORS = "\t;,"
LONGEST = 80  # characters of a header that are quoted
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


def fields(line: str, separator: str | None = None) -> list[str]:
    """The values of a line, separated by tabs, semicolons or commas, or else by spaces; quotes are respected."""
    values = next(csv.reader([line], delimiter=separator or _separator(line), skipinitialspace=True), [])
    return [value.strip().strip("'") for value in values]


def _separator(line: str) -> str:
    return next((mark for mark in SEPARATORS if mark in line), " ")


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


@dataclass(frozen=True)
class Row:
    """One row of a table: where it is, and its values by column, stripped; empty ones are left out."""

    place: str
    values: dict[str, str]


def read_table(path: Path, columns: Mapping[str, Sequence[str]], needed: Sequence[str]) -> list[Row]:
    """The rows of a table with a header, as `fields` reads its lines; the header decides what separates values.

    Args:
        columns: the names that each column may have, capitals aside; other columns are ignored.
        needed: columns that a row must have a value of.

    Raises:
        UserError: it cannot be read, has no rows, lacks a column that is needed, or a row lacks a value or has too
            many.
    """
    lines = [(number, line) for number, line in enumerate(read_lines(path, "one row"), start=1) if line]
    if not lines:
        raise UserError(f"{path} is empty: it should begin with the names of its columns, {','.join(needed)}")
    separator = _separator(lines[0][1])
    header = [value.casefold() for value in fields(lines[0][1], separator)]
    where = {
        column: next((header.index(name) for name in names if name in header), None)
        for column, names in columns.items()
    }
    if absent := [column for column in needed if where[column] is None]:
        raise UserError(
            f"{path} has no column {' and no column '.join(absent)}: its first line should name the columns "
            f"{','.join(needed)}, it is {lines[0][1][:LONGEST]!r}"
        )
    rows = [_row(f"{path}, line {number}", fields(line, separator), where, len(header)) for number, line in lines[1:]]
    for row in rows:
        if empty := [column for column in needed if column not in row.values]:
            raise UserError(f"{row.place} has no {empty[0]}")
    if not rows:
        raise UserError(f"{path} has no rows below its header")
    return rows


def _row(place: str, values: list[str], where: Mapping[str, int | None], columns: int) -> Row:
    if len(values) > columns:
        raise UserError(
            f"{place} has {len(values)} values, the header {columns} columns: put quotes around a value that "
            "contains what separates them"
        )
    found = {column: values[at] for column, at in where.items() if at is not None and at < len(values)}
    return Row(place, {column: value for column, value in found.items() if value})
