"""JSON files of a run or a study, held against what they should hold."""

from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from fbm.report.read.places import shown
from fbm.utils.errors import UserError

Kind = TypeVar("Kind")


def validated(file: Path, kind: type[Kind], mend: str) -> Kind:
    """What `file` holds. UserError, ending with how to `mend` it, where it is damaged."""
    try:
        return TypeAdapter(kind).validate_json(file.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        reason = f"{place}: {first['msg']}" if place else first["msg"]
    except OSError as error:
        reason = error.strerror or type(error).__name__
    raise damaged(file, reason, mend)


def damaged(file: Path, reason: str, mend: str) -> UserError:
    """The error to raise."""
    return UserError(f"{shown(file)}: damaged {file.stem} ({reason}). {mend}")
