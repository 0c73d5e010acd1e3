"""What a function or class takes, by the annotations of its parameters."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args, get_type_hints


def parameter_types(target: Callable[..., Any]) -> dict[str, Any]:
    """The annotations of a target's parameters; empty if one of them cannot be resolved."""
    try:
        return get_type_hints(target.__init__ if inspect.isclass(target) else target)
    except (NameError, TypeError):  # names that are imported for type checkers only
        return {}


def path_parameters(target: Callable[..., Any]) -> set[str]:
    """The parameters that are annotated as `Path`, alone or within another type: they only say where files are."""
    return {name for name, hint in parameter_types(target).items() if name != "return" and _holds_path(hint)}


def _holds_path(hint: Any) -> bool:
    return (inspect.isclass(hint) and issubclass(hint, Path)) or any(map(_holds_path, get_args(hint)))
