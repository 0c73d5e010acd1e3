"""JSON files of a run or a study, read against their schemas."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from fbm.report.read.places import shown
from fbm.utils.errors import UserError

Content = TypeVar("Content")


def read_validated(file: Path, from_json: Callable[[bytes], Content], remedy: str) -> Content:
    """What `file` holds. UserError, ending with `remedy`, where it is damaged."""
    try:
        return from_json(file.read_bytes())
    except ValueError as error:
        raise damaged(file, str(error), remedy) from error
    except OSError as error:
        raise damaged(file, error.strerror or type(error).__name__, remedy) from error


def damaged(file: Path, reason: str, remedy: str) -> UserError:
    """The error to raise."""
    return UserError(f"{shown(file)}: damaged {file.stem} ({reason}). {remedy}")
