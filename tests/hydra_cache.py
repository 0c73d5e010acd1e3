"""What Hydra and OmegaConf do again for every run, done once: a session of tests composes the same thousands of times.

Parsing, which has a slow grammar, is cached by text. What the options of the groups come to, before values are set, is
cached by these options and by the files that there are beside ours. A caller gets a copy of what it could change, and
whatever fails is not cached.
"""

import copy
import functools
import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import omegaconf._utils
import omegaconf.base
import pytest
import yaml
from hydra._internal import config_loader_impl
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import IConfigRepository
from hydra._internal.defaults_list import DefaultsList, Overrides, create_defaults_list
from hydra._internal.hydra import Hydra
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf
from omegaconf.grammar_parser import parse

from fbm.config.compose import conf_dir


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
    # Hydra copies all plugins' configs with each view of its search path, 140 times for a help; it only reads them.
    patch.setattr(ConfigStore, "__deepcopy__", lambda store, _: store, raising=False)
    _merge_once(patch)


def _merge_once(patch: pytest.MonkeyPatch) -> None:
    """Choose configs and merge them once for the same options."""
    merge = ConfigLoaderImpl._compose_config_from_defaults_list
    chosen: dict[Any, DefaultsList] = {}
    merged: dict[int, DictConfig] = {}

    def choose_once(
        repo: IConfigRepository, config_name: str | None, overrides_list: list[Override], **how: bool
    ) -> DefaultsList:
        values = Overrides(repo, overrides_list).config_overrides
        options = [one.input_line for one in overrides_list if not any(one is value for value in values)]
        key = (config_name, *options, *how.items(), *_files(repo))
        if key not in chosen:
            chosen[key] = create_defaults_list(repo, config_name, overrides_list, **how)
        return replace(chosen[key], config_overrides=values)

    def merge_once(loader: ConfigLoaderImpl, defaults: Any, repo: IConfigRepository) -> DictConfig:
        key = id(defaults)  # which lives as long as `chosen`
        if key not in merged:
            merged[key] = merge(loader, defaults, repo)
        return copy.deepcopy(merged[key])

    patch.setattr(config_loader_impl, "create_defaults_list", choose_once)
    patch.setattr(ConfigLoaderImpl, "_compose_config_from_defaults_list", merge_once)


def _files(repo: IConfigRepository) -> list[tuple[Any, ...]]:
    """Where configs are looked for, and the files there, but for ours, which no test changes."""
    found: list[tuple[Any, ...]] = []
    for source in repo.get_sources():
        found.append((source.scheme(), source.path))
        if source.scheme() == "file" and Path(source.path) != conf_dir():
            names = [Path(folder, name) for folder, _, names in os.walk(source.path) for name in names]
            for path in (name for name in names if name.suffix == ".yaml"):
                with suppress(FileNotFoundError):  # a run beside this one moves its own
                    told = path.stat()
                    found.append((path, told.st_ino, told.st_mtime_ns, told.st_size))
    return found
