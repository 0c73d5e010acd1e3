"""Compose configs outside a Hydra application, resolve them, and write them as text."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from fbm.config.naming import register
from fbm.utils.errors import UserError

MARKS = ("_target_", "_partial_", "_args_", "_recursive_", "_convert_")
register()


def conf_dir() -> Path:
    """The folder of configs: in the installed package, or beside it in a checkout."""
    package = Path(__file__).parent.parent
    return package / "conf" if (package / "conf").is_dir() else package.parent / "conf"


@contextmanager
def composing() -> Iterator[None]:
    """A context in which `hydra.compose` finds our configs, outside a Hydra application."""
    import hydra
    from hydra.core.global_hydra import GlobalHydra

    GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
        yield


def compose(overrides: Sequence[str] = (), own: Path | None = None, name: str = "train") -> DictConfig:
    """One of our configs with these overrides, outside a Hydra application.

    Args:
        own: a folder of the user's config groups, as given to `--config-dir`.
        name: "train", "prepare" or "study".
    """
    import hydra

    with composing():
        return hydra.compose(name, [*_search_path(own), *overrides])


@contextmanager
def composed_as_command(overrides: Sequence[str] = (), own: Path | None = None) -> Iterator[DictConfig]:
    """A run's config as the command `fbm train` composes it: while the block runs, its overrides name the run.

    Args:
        own: as in `compose`.
    """
    import hydra
    from hydra.core.hydra_config import HydraConfig

    before = HydraConfig.instance().cfg
    with composing():
        whole = hydra.compose("train", [*_search_path(own), *overrides], return_hydra_config=True)
    try:
        HydraConfig.instance().set_config(whole)
        with open_dict(whole):
            del whole["hydra"]
        yield whole
    finally:
        HydraConfig.instance().cfg = before


def _search_path(own: Path | None) -> list[str]:
    """The setting that adds a folder of the user's config groups."""
    return [f"hydra.searchpath=[file://{own.resolve()}]"] if own else []


def resolved(config: DictConfig) -> dict[str, Any]:
    """The config as plain containers with every interpolation resolved.

    Raises:
        UserError: a mandatory value is missing, or an interpolation cannot be resolved.
    """
    try:
        content = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        if missing := _missing(config):
            raise UserError(f"not given: {', '.join(missing)} (on the command line: {missing[0]}=VALUE)") from error
        raise UserError(" ".join(str(error).split())) from error
    assert isinstance(content, dict)
    return {str(key): value for key, value in content.items()}


def _missing(config: DictConfig) -> list[str]:
    """The missing mandatory keys; called on errors only, since it resolves the config again."""
    try:
        return sorted(OmegaConf.missing_keys(config))
    except OmegaConfBaseException:  # the caller reports another error
        return []


def as_yaml(content: dict[str, Any]) -> str:
    """A resolved config as the text of a file."""
    return OmegaConf.to_yaml(OmegaConf.create(content))
