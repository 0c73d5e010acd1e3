"""Dataclasses as schemas of JSON files: content that does not fit becomes one line that says where."""

from typing import Any, TypeVar

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


def _validated(kind: type[Kind], method: str, content: Any) -> Kind:
    from pydantic import TypeAdapter, ValidationError  # imported late: it is slow to load

    try:
        made: Kind = getattr(TypeAdapter(kind), method)(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{place}: {first['msg']}" if place else first["msg"]) from error
    return made
