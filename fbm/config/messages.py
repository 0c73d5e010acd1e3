"""Hydra's errors as one line each."""

import re
from collections.abc import Sequence
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fbm.config.compose import compose, conf_dir
from fbm.config.overrides import explain_list, explain_override
from fbm.utils.suggest import did_you_mean


def explain_config_error(
    error: Exception, config_name: str, sweeps: bool = False, settings: Sequence[str] = ()
) -> str | None:
    """One line for an error of composing or reading a config, whichever library raises it; None for other errors.

    Args:
        sweeps, settings: as in `explain_hydra_error`.
    """
    from hydra.errors import HydraException

    if isinstance(error, HydraException | OmegaConfBaseException | yaml.YAMLError):
        return explain_hydra_error(error, config_name, sweeps, settings)
    return _explain_option(error, settings) if isinstance(error, ValueError) else None


def explain_hydra_error(error: Exception, config_name: str, sweeps: bool = False, settings: Sequence[str] = ()) -> str:
    """One line for an error of Hydra, with the closest valid name.

    Args:
        sweeps: as in `explain_override`.
        settings: what was asked for; the options among it decide which keys there are.
    """
    from hydra.errors import OverrideParseException

    if isinstance(error, OverrideParseException):
        return explain_override(error.override, sweeps)
    causes = [str(part) for part in (error, error.__cause__) if part is not None]
    text = " ".join(" ".join(causes).split())
    if match := re.search(r"Ambiguous value for argument '(.*?)' 1\. To use it as a list", text):
        return explain_list(match[1])
    if match := re.search(r"Could not override '([^']+)'", text):
        return _no_such_setting(match[1].split("@")[0], config_name, settings)
    if match := re.search(r"Could not find 'hydra/launcher/(joblib|submitit)", text):
        return f"Hydra's {match[1]} plugin is not installed: pip install 'fbm-video[{match[1]}]'"
    if match := re.search(
        r"In '[^']*': Could not find '([^']+)' Available options in '[^']+': (.*?)(?: Config search path:|$)", text
    ):
        option = match[1].rsplit("/", 1)[-1]
        return f"no such option {match[1]!r}{did_you_mean(option, match[2].split()) or f'; there is {match[2]}'}"
    if match := re.search(r"In '[^']*': Could not find '([^']+)'", text):
        group, _, option = match[1].partition("/")
        known = [
            str(path.relative_to(conf_dir() / group).with_suffix("")) for path in conf_dir().glob(f"{group}/**/*.yaml")
        ]
        return f"no such option {match[1]!r}{did_you_mean(option, known)}"
    return text


def _explain_option(error: ValueError, words: Sequence[str]) -> str | None:
    """One line for `logger=false` and the like, a group's value that is no option's name; None for other errors."""
    if "Config group override must be" not in str(error):
        return None
    for word in words:
        group, equals, value = word.lstrip("+").partition("=")
        if equals and not group:
            return f"{word}: no setting"
        options = sorted(path.stem for path in (conf_dir() / group).glob("*.yaml")) if equals else []
        if options and isinstance(yaml.safe_load(value), bool | int | float):
            return f"{word}: a group takes an option; there is {', '.join(options)}, and null for none"
    return str(error)


def _no_such_setting(key: str, config_name: str, settings: Sequence[str]) -> str:
    # Keys of `_target_` and the like are no suggestions: what is built is chosen by an option.
    known = [other for other in known_keys(config_name, settings) if other != key and "._" not in other]
    hint = did_you_mean(key, known)
    node = key.rpartition(".")[0]
    beside = sorted(other.rpartition(".")[2] for other in known if node and other.rpartition(".")[0] == node)
    if not hint and beside:
        hint = f"; {node} has {', '.join(beside)}"
    return f"no such setting {key!r}{hint}"


def known_keys(config_name: str, settings: Sequence[str] = ()) -> list[str]:
    """Every key and group of the config with the options that are among `settings`, dotted."""
    from hydra.errors import HydraException

    groups = [folder.name for folder in conf_dir().iterdir() if folder.is_dir()]
    options = [setting for setting in settings if setting.partition("=")[0] in groups and "=" in setting]
    try:
        config = compose(options, name=config_name)
    except (HydraException, OmegaConfBaseException):  # one of a user's own, or of a sweep
        config = compose(name=config_name)
    return [*groups, *_paths(OmegaConf.to_container(config), "")]


def _paths(node: Any, path: str) -> list[str]:
    if not isinstance(node, dict):
        return []
    own = [f"{path}.{key}".lstrip(".") for key in node]
    return own + [inner for key, value in node.items() for inner in _paths(value, f"{path}.{key}".lstrip("."))]
