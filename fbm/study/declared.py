"""The declaration of a comparison, read from its config."""

import itertools
import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ConfigDict, TypeAdapter, ValidationError
from yaml import YAMLError, safe_load

from fbm.config.compose import compose, conf_dir, resolved
from fbm.config.keys import flatten
from fbm.config.messages import explain_hydra_error
from fbm.study.job import Combination
from fbm.utils.errors import UserError
from fbm.utils.suggest import did_you_mean

Values = dict[str, list[Any]]
Source = tuple[str, str]  # an initialisation, and its values of `pretrain.over` as text
FREE = ("pretrain.inits.", "pretrain.over.", "classify.over.")  # below these any key may be added, without Hydra's +


@dataclass(frozen=True)
class Pretraining:
    """The pretraining runs. `inits`: settings by initialisation; `over`: values matched with the classification's."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    study: str
    settings: list[str]
    inits: dict[str, list[str]]
    over: dict[str, Any]


@dataclass(frozen=True)
class Classification:
    """The runs that are compared: every combination of `over`."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    settings: list[str]
    over: dict[str, Any]


@dataclass(frozen=True)
class StudySpec:
    """A whole study; the parts are explained in `conf/study.yaml`."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    study: str
    launcher: str | None
    settings: list[str]
    pretrain: Pretraining
    classify: Classification
    analyse: bool
    bias: bool
    report: bool


def read(name: str, overrides: list[str], own: Path | None = None) -> tuple[StudySpec, Path | None]:
    """The study that `name` declares, and the folder of additional config groups for its runs.

    Args:
        name: an option of `conf/sweep`, or a folder with one file in its `sweep/`.
        overrides: of the study's own keys, in Hydra's grammar.
        own: a folder of the user's config groups.

    Raises:
        UserError: the study does not exist or does not compose, or a key of it is unknown or of a wrong type.
    """
    name, own = _find(name, own)
    # Hydra would take the key for the group of that name.
    launchers = [word for word in overrides if word.startswith("launcher=")]
    words = [f"++{word}" if word.startswith(FREE) else word for word in overrides if word not in launchers]
    try:
        config = compose([f"sweep={name}", *words], own, "study")
        for word in launchers:
            config.launcher = safe_load(word.partition("=")[2])
    except (HydraException, OmegaConfBaseException, YAMLError) as error:
        message = explain_error(error, "study")
        for key in FREE:  # named as they were given
            message = message.replace(f"++{key}", key)
        raise UserError(message) from error
    if OmegaConf.is_missing(config, "study"):
        raise UserError(f"{name} has no `study: NAME`; does its file begin with `# @package _global_`?")
    try:
        return TypeAdapter(StudySpec).validate_python(resolved(config)), own
    except ValidationError as error:
        raise UserError(f"the study {name}: {_fault(error)}") from error


def explain_error(error: Exception, config_name: str) -> str:
    """One line for Hydra's error in a study or one of its runs."""
    if match := re.search(r"Ambiguous value for argument '([^=']+)=([^']*)'", str(error)):
        return (
            f"{match[1]}={match[2]}: a study takes lists, {match[1]}=[{match[2]}]; to vary KEY, classify.over.KEY=[A,B]"
        )
    return explain_hydra_error(error, config_name)


def grid(over: dict[str, Any]) -> Values:
    """The values of each dotted key; a single value is a list of one. UserError for a key without values."""
    flat = flatten(over) if over else {}
    if empty := [key for key, value in flat.items() if value == [] or value == {}]:
        raise UserError(f"over.{empty[0]} has no value: name one at least, or leave the key out")
    return {key: value if isinstance(value, list) else [value] for key, value in flat.items()}


def combinations(over: Values) -> list[Combination]:
    """Every combination of values, the last key varying fastest."""
    return [dict(zip(over, values, strict=True)) for values in itertools.product(*over.values())]


def key_of(init: str, values: Combination) -> Source:
    """The key of a pretraining for an initialisation, with its values of `pretrain.over`."""
    return init, json.dumps(values, sort_keys=True)


def source_of(values: Combination, shared: Iterable[str]) -> Source:
    """Which pretraining a classification with these values starts from; `shared` has the keys of `pretrain.over`."""
    return key_of(str(values.get("init", "random")), {key: values[key] for key in shared})


def sources(declared: StudySpec) -> set[Source]:
    """The pretrainings that classifications start from.

    Raises:
        UserError: `pretrain.over` has a key that `classify.over` lacks, or the initialisation itself.
    """
    shared, over = grid(declared.pretrain.over), grid(declared.classify.over)
    if "init" in shared:
        raise UserError("pretrain.over varies init: initialisations are in pretrain.inits, NAME=[SETTINGS] each")
    if unmatched := sorted(set(shared) - set(over)):
        raise UserError(
            f"pretrain.over.{unmatched[0]} must be in classify.over too: which run would each start from? A setting of "
            "pretraining alone makes an initialisation of its own: pretrain.inits.NAME=[...]"
        )
    needed = {source_of(values, shared) for values in combinations(over)}
    return {key for key in needed if key[0] in declared.pretrain.inits}


def unused(declared: StudySpec) -> list[str]:
    """Initialisations that are declared, but from which no classification starts."""
    used = {init for init, _ in sources(declared)}
    return [init for init in declared.pretrain.inits if init not in used]


def runs(declared: StudySpec) -> int:
    """The number of runs of a study; some may coincide."""
    return len(sources(declared)) + math.prod(map(len, grid(declared.classify.over).values()))


def builtin_studies() -> list[str]:
    """Names of the studies in `conf/sweep`."""
    return sorted(path.stem for path in (conf_dir() / "sweep").glob("*.yaml"))


def _find(name: str, own: Path | None) -> tuple[str, Path | None]:
    folder = Path(name)
    if not (folder / "sweep").is_dir():
        known = (
            [*builtin_studies(), *(path.stem for path in (own / "sweep").glob("*.yaml"))] if own else builtin_studies()
        )
        if name not in known and folder.is_dir():
            raise UserError(f"{folder} declares no sweep: a file FOLDER/sweep/NAME.yaml is expected")
        if name not in known:
            raise UserError(
                f"no study {name!r}{did_you_mean(name, known)} (a name of conf/sweep, or a folder such as "
                "experiments/table1)"
            )
        return name, own
    files = sorted((folder / "sweep").glob("*.yaml"))
    if len(files) != 1:
        raise UserError(f"{folder} declares {len(files)} sweeps: one file FOLDER/sweep/NAME.yaml is expected")
    return files[0].stem, folder


def _fault(error: ValidationError) -> str:
    first = error.errors()[0]
    *path, key = (str(part) for part in first["loc"])
    where = ".".join([*path, key])
    if first["type"] == "unexpected_keyword_argument":
        part = {"pretrain": Pretraining, "classify": Classification}.get(".".join(path), StudySpec)
        return f"unknown key {where}{did_you_mean(key, [field.name for field in fields(part)])}"
    return f"{where}={first['input']!r}: {first['msg'][0].lower()}{first['msg'][1:]}"
