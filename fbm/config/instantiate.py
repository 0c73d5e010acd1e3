"""Check configs against the signatures they name, and instantiate them. The only place that instantiates."""

import inspect
from collections.abc import Iterator
from functools import partial
from types import UnionType
from typing import Any, Literal, get_args

from omegaconf import DictConfig, OmegaConf

from fbm.config.compose import MARKS, resolved
from fbm.config.keys import under
from fbm.config.renamed import NOW
from fbm.config.targets import import_target
from fbm.config.trainer_settings import check_trainer
from fbm.utils.errors import UserError
from fbm.utils.signatures import parameter_types
from fbm.utils.suggest import did_you_mean

Products = Literal["highest", "high", "medium"]  # torch's names for the precision of float32 products
Input = Literal["frames", "residual"]  # `fbm.models.encoder.Input`, without torch


def build(node: DictConfig | dict[str, Any], **runtime: Any) -> Any:
    """Instantiate the `_target_` of a node with the node's values.

    Args:
        runtime: values known only at run time; those that the signature names are passed. Nested nodes with a
            `_target_` are instantiated first, without them.

    Raises:
        UserError: the node has no target or lacks a required value, or the target raises a ValueError.
    """
    content: Any = OmegaConf.to_container(node, resolve=True) if isinstance(node, DictConfig) else node
    if not isinstance(content, dict) or "_target_" not in content:
        raise UserError(f"there is no _target_ in {content}, so nothing can be built from it")
    target = import_target(content["_target_"])
    signature = inspect.signature(target)
    values = {key: _nested(value) for key, value in content.items() if key not in MARKS}
    values |= {key: value for key, value in runtime.items() if key in signature.parameters}
    if content.get("_partial_", False):
        return partial(target, **values)
    try:
        signature.bind(**values)
    except TypeError as error:
        raise UserError(f"{content['_target_']}: {error}") from error
    try:
        return target(**values)
    except UserError:
        raise
    except ValueError as error:
        raise UserError(f"{content['_target_']}: {error}") from error


def _nested(value: Any) -> Any:
    if isinstance(value, dict):
        return build(value) if "_target_" in value else {key: _nested(inner) for key, inner in value.items()}
    return [_nested(inner) for inner in value] if isinstance(value, list) else value


def check(config: DictConfig, nodes: tuple[str, ...] = ("",)) -> dict[str, Any]:
    """Check every node with a `_target_` against its signature: unknown keys and values of a wrong type.

    Args:
        nodes: dotted paths; only these and nodes inside them are checked. Checking imports the targets.

    Returns:
        The resolved config.

    Raises:
        UserError: names the key, the fault and the allowed values.
    """
    raw: Any = OmegaConf.to_container(config, resolve=False)
    content = resolved(config)
    for path, node in _targets(content, ""):
        if any(not place or under(path, (place,)) for place in nodes):
            _check_node(path, node, raw)
    return content


def check_run(config: DictConfig) -> dict[str, Any]:
    """`check` a run's config and the values that are in no signature; returns it resolved."""
    content = check(config)
    check_values(content)
    check_trainer(content["trainer"])
    return content


def check_values(content: dict[str, Any]) -> None:
    """Check the values of a run's resolved config that are in no signature. UserError for one of a wrong type."""
    from pydantic import NonNegativeInt, PositiveInt

    kinds = {"seed": NonNegativeInt, "resume": str, "float32_matmul": Products | None}
    kinds |= {"input": Input, "base_batch": PositiveInt | None}
    for key, kind in (
        kinds | dict.fromkeys(("test", "overwrite", "compile", "activation_checkpointing"), bool)
    ).items():
        check_value(key, content[key], kind)


def _targets(node: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(node, dict):
        if "_target_" in node:
            yield path, node
        for key, value in node.items():
            yield from _targets(value, f"{path}.{key}".lstrip("."))


def _check_node(path: str, node: dict[str, Any], raw: dict[str, Any]) -> None:
    try:
        target = import_target(node["_target_"])
    except Exception as error:  # importing a user's module can raise anything
        setting = f"{path}._target_={node['_target_']}"
        if now := NOW.get(node["_target_"]):
            raise UserError(f"{setting}: it is called {now} now") from error
        raise UserError(f"{setting} cannot be imported: {' '.join(str(error).split())}") from error
    signature = inspect.signature(target)
    open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in signature.parameters.values())
    hints = parameter_types(target)
    for key, value in node.items():
        if key in MARKS:
            continue
        if key not in signature.parameters and not open_ended:
            raise UserError(
                f"{path}.{key}: {target.__name__} takes no {key!r}{did_you_mean(key, signature.parameters)}"
            )
        if key in hints and not _holds_target(value):
            check_value(_user_key(f"{path}.{key}", raw), value, hints[key])


def check_value(key: str, value: Any, hint: Any) -> None:
    """Check one value against a type.

    Raises:
        UserError: names the key and what it should be.
    """
    from pydantic import ConfigDict, TypeAdapter, ValidationError

    try:
        adapter = TypeAdapter(hint, config=None if _has_own_config(hint) else ConfigDict(arbitrary_types_allowed=True))
        taken = adapter.validate_python(value)
        if isinstance(value, str | float) and isinstance(taken, bool | int | float) and type(taken) is not type(value):
            # The target gets the value unconverted: the string "no" would be true, 8.0 would be a number of clips.
            adapter.validate_python(value, strict=True)
    except ValidationError as error:
        expected = error.errors()[0]["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
        raise UserError(f"{key}={value!r}: it should be {expected}") from error


def _has_own_config(hint: Any) -> bool:
    """Pydantic rejects a config for types that may have their own, such as dataclasses."""
    kinds = get_args(hint) if isinstance(hint, UnionType) or get_args(hint) else (hint,)
    return any(hasattr(kind, "__dataclass_fields__") or hasattr(kind, "__pydantic_config__") for kind in kinds)


def _holds_target(value: Any) -> bool:
    return any(True for _ in _targets(value, ""))


def _user_key(path: str, raw: dict[str, Any]) -> str:
    """The key that a user sets: `other.key` if `path` is `${other.key}`."""
    value: Any = raw
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    if isinstance(value, str) and value.startswith("${") and value.endswith("}") and ":" not in value:
        return _user_key(value[2:-1], raw)
    return path
