"""What Hydra and OmegaConf parse again for every run: parsed once per text, which halves the time of a tiny run.

Both parse with a slow grammar, and a session of tests composes the same files and settings thousands of times. Only
functions of a text alone are cached; a caller gets a copy of what it could change. Whatever fails is not cached.
"""

import copy
import functools
from typing import Any, cast

import omegaconf._utils
import omegaconf.base
import pytest
import yaml
from hydra._internal.hydra import Hydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import OmegaConf
from omegaconf.grammar_parser import parse


@functools.cache
def _parse_yaml(text: str) -> Any:
    return yaml.load(text, Loader=omegaconf._utils.get_yaml_loader())


def cache_parsing(patch: pytest.MonkeyPatch) -> None:
    """Give Hydra and OmegaConf caches, until `patch` is undone."""
    # The tree is only read by OmegaConf, and each holds its own input: it can be shared.
    parse_once = functools.cache(parse)
    parse_rule, load, find_mode = OverridesParser.parse_rule, OmegaConf.load, Hydra.get_mode
    settings: dict[tuple[str, str], Override] = {}

    def parse_setting(parser: OverridesParser, text: str, rule: str) -> Any:
        found = settings.get((text, rule))
        if found is None:
            found = parse_rule(parser, text, rule)
            if not isinstance(found, Override):
                return found
            settings[text, rule] = found
        own = copy.copy(found)
        own._value = copy.deepcopy(found._value)
        return own

    def get_mode(application: Hydra, config_name: str | None, overrides: list[str]) -> Any:
        """It composes the whole config a first time to find `hydra.mode`, which no config of ours sets."""
        paths = application.config_loader.get_search_path().get_path()
        asked = any("hydra" in word for word in overrides) or any(one.provider == "command-line" for one in paths)
        return find_mode(application, config_name, overrides) if asked else None

    def load_file(file: Any) -> Any:
        if not hasattr(file, "read"):
            return load(file)  # which names it in its errors
        start = file.tell()
        try:
            content = copy.deepcopy(_parse_yaml(file.read()))
        except yaml.YAMLError:
            content = None
        if not isinstance(content, list | dict):
            file.seek(start)
            return load(file)
        return OmegaConf.create(cast(dict[Any, Any], content))

    patch.setattr(omegaconf.base, "parse", parse_once)
    patch.setattr(omegaconf._utils, "parse", parse_once)
    patch.setattr(OverridesParser, "parse_rule", parse_setting)
    patch.setattr(OmegaConf, "load", staticmethod(load_file))
    patch.setattr(Hydra, "get_mode", get_mode)
