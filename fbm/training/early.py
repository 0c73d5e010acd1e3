"""Checks of a run before torch is imported, so that a wrong path is refused at once."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from fbm.config.compose import resolved
from fbm.config.instantiate import check_values
from fbm.config.keys import flatten
from fbm.config.overrides import check_not_renamed, expand_home
from fbm.data.store.manifest import check_prepared
from fbm.runs.exported import HUB
from fbm.runs.fingerprints import identify
from fbm.runs.locate import find_checkpoint
from fbm.runs.summary import summary_if_whole


def check_early(config: DictConfig) -> None:
    """Check of a run's config what can be checked without torch; `~` in it is replaced by the home folder.

    Raises:
        UserError: a setting is called otherwise now, a value is of a wrong type, or the store or the checkpoint to
            start from is missing.
    """
    expand_home(config)
    check_not_renamed(flatten(OmegaConf.to_container(config, resolve=False)))  # in a config file
    content = resolved(config)
    check_values(content)
    _check_inputs(content)


def _check_inputs(content: dict[str, Any]) -> None:
    """A finished run needs neither its store nor its checkpoint."""
    summary = None if content["overwrite"] else summary_if_whole(Path(str(content["run_dir"])))
    if summary is not None and summary.fingerprints.run == identify(content):
        return
    init, store = content["init"], content["data"]["store"]
    if isinstance(store, str):
        check_prepared(Path(store))
    checkpoint = init.get("checkpoint")
    if init.get("task") is not None and checkpoint is not None and not str(checkpoint).startswith(HUB):
        find_checkpoint(Path(str(checkpoint)))
