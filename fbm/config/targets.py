"""The objects that configs name by `_target_`. The only module that imports by name."""

import logging
import re
from typing import Any

from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from fbm.utils.signatures import path_parameters

REFERENCE = re.compile(r"\$\{([\w.]+)\}")  # a value that is another key's
PATH_NODES = ("data.source", "masks.source")  # their targets' `Path` parameters do not affect results


def import_target(name: str) -> Any:
    """The class or function of this dotted name; raises whatever importing its module raises."""
    logger = logging.getLogger("hydra.utils")
    logger.disabled = True  # it would log the exception as well
    try:
        return get_object(name)
    finally:
        logger.disabled = False


def path_keys(config: DictConfig) -> tuple[str, ...]:
    """The dotted keys that only say where files of the data set and the masks are.

    They are derived from the signatures: a parameter of `data.source` or `masks.source` that is annotated as `Path`,
    and the key that it is taken from, `csv: ${data.csv}`.
    """
    keys: list[str] = []
    for node in PATH_NODES:
        section = OmegaConf.select(config, node)
        if not isinstance(section, DictConfig) or "_target_" not in section:
            continue
        values: Any = OmegaConf.to_container(section, resolve=False)
        try:
            parameters = path_parameters(import_target(values["_target_"]))
        except Exception:  # importing a user's module can raise anything; `check` reports it
            continue
        for name in sorted(parameters & values.keys()):
            keys.append(f"{node}.{name}")
            if reference := REFERENCE.fullmatch(str(values[name])):
                keys.append(reference[1])
    return tuple(keys)
