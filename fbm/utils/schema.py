"""Dataclasses as schemas of JSON files: content that does not fit becomes one line that says where."""

from collections.abc import Hashable
from functools import cache
from typing import Any, TypeVar, cast

Kind = TypeVar("Kind")


def from_json(kind: type[Kind], text: str | bytes) -> Kind:
    """The JSON text as an instance of the dataclass `kind`; unknown keys are ignored.

    Raises:
        ValueError: it is not JSON, or does not fit; the message is one line.
    """
    return _validated(kind, "validate_json", text)


def from_plain(kind: type[Kind], content: Any) -> Kind:
    """The same for content that is plain values already."""
    return _validated(kind, "validate_python", content)


@cache  # making one takes ten milliseconds, and a study reads the summaries of all its runs again and again
def _adapter(kind: Any) -> Any:
    from pydantic import TypeAdapter  # imported late: it is slow to load

    return TypeAdapter(kind)


def _validated(kind: type[Kind], method: str, content: Any) -> Kind:
    from pydantic import ValidationError

    try:
        made: Kind = getattr(_adapter(cast(Hashable, kind)), method)(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{place}: {first['msg']}" if place else first["msg"]) from error
    return made
