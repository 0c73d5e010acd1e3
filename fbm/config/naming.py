"""What configs ask for: a run's name, `TASK-INIT-seedN`, the other settings given and what is swept; and what its store
is made of."""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from fbm.data.store_settings import read_store_settings

# Said by the name already, or the folder that it is in.
ALWAYS_NAMED = {"task", "init", "seed", "study", "name", "run_dir"}
# Deciding only where things are, or said by others: these keys, and whole nodes with all that is in them.
EXCLUDED_KEYS = {*ALWAYS_NAMED, "data", "experiment", "test", "overwrite", "data.root"}
EXCLUDED_KEYS |= {
    "launcher",
    "sweeper",
    "init.name",
    "init.checkpoint",
    "data.store",
    "data.annotations",
    "data.num_workers",
    "data.skip_broken",
}
EXCLUDED_KEYS |= {"data.folders", "data.test_lists", "data.num_workers", "data.skip_broken"}
EXCLUDED_GROUPS = ("pretrained", "logger", "hydra", "callbacks.progress", "callbacks.last")
SELF_RESUME = {
    "resume=auto",
    "resume=none",
}  # another run's checkpoint is named: the run that goes on from it is another one
LONGEST = 80  # characters of settings; longer ones are told by a hash
SWEPT = "FBM_SWEPT"  # among Hydra's variables of a job, which go with it wherever it runs


def run_name(task: str, init: str, seed: int, folder: str | None = None) -> str:
    """The name of the run that Hydra is composing: letters, digits and `_.+-`, which need quotes nowhere.

    Args:
        folder: where an earlier fbm may have left this run under a name with `=` and `,`. Then that is its name.
    """
    asked = HydraConfig.get() if HydraConfig.initialized() else None
    # The option that was chosen, where it says more than the task's own name.
    name = f"{asked.runtime.choices.get('task', task) if asked else task}-{init}-seed{seed}"
    # As they were typed: an interpolation in one is the config's, and cannot be resolved among the overrides.
    given = OmegaConf.to_container(asked.overrides.task, resolve=False) if asked else []
    assert isinstance(given, list)
    plain = [text.lstrip("+~") for text in given]
    varied = _swept() if asked else set()
    keys = {text.split("=")[0] for text in plain}
    others = sorted(text for text in plain if text not in SELF_RESUME and _in_name(text.split("=")[0], varied))
    made = _safe(name, "+".join(others))
    if folder is not None and not unnamed_keys(keys & varied):
        former = _legacy_name(name, others)
        if (Path(folder) / former).is_dir() and not (Path(folder) / made).is_dir():
            return former
    return made


def sweep_setting(keys: Iterable[str]) -> list[str]:
    """The setting that has jobs named by those of the swept keys that names leave out otherwise; none without such."""
    told = unnamed_keys(keys)
    return [f"+hydra.job.env_set.{SWEPT}='{','.join(told)}'"] if told else []


def unnamed_keys(keys: Iterable[str]) -> list[str]:
    """Those of these keys that a name does not tell by itself."""
    return sorted(key for key in set(keys) - ALWAYS_NAMED if not _in_name(key, set()))


def _swept() -> set[str]:
    asked = HydraConfig.get()
    declared = asked.sweeper.get("params") or {}  # a sweep of a config file
    return {*asked.job.env_set.get(SWEPT, "").split(","), *map(str, declared)} - ALWAYS_NAMED


def _in_name(key: str, varied: set[str]) -> bool:
    return key in varied or not (
        key in EXCLUDED_KEYS or any(key == node or key.startswith(f"{node}.") for node in EXCLUDED_GROUPS)
    )


def _safe(name: str, settings: str) -> str:
    """Both in characters that no grammar minds; where others had to go, a hash tells what they were."""
    whole = f"{name}-{settings}" if settings else name
    settings = settings.replace("=", "-").replace(",", "+")
    if len(settings) > LONGEST:
        return f"{_replaced(name)}-{_hash(whole, 10)}"
    made = f"{name}-{settings}" if settings else name
    safe = _replaced(made)
    return safe if safe == made else f"{safe}-{_hash(whole, 6)}"


def _replaced(text: str) -> str:
    bare = re.sub(r"['\"\[\](){}$]+", "", text)
    return re.sub(r"[^\w.+-]+", "_", bare, flags=re.ASCII)


def _hash(text: str, digits: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:digits]


def _legacy_name(name: str, others: list[str]) -> str:
    """The name that runs had while `=` and `,` were kept."""
    suffix = re.sub(r"[^\w.,=+-]+", "_", ",".join(others))
    if len(suffix) > LONGEST:
        suffix = _hash(suffix, 10)
    return f"{name}-{suffix}" if suffix else name


def stored(key: str, default: Any, *, _root_: DictConfig) -> Any:
    """`${fbm.stored:KEY,DEFAULT}`: what the store that a run reads was prepared with; else the default.

    A value that is given in its place is the run's own, and held against the store's when the store is opened.

    Args:
        key: "name", "size", "masks", "skip_broken", or a choice of the data set (see `fbm.data.dataset.Source`).
        default: of the chosen option; a preparation always takes it.
    """
    data = _root_.get("data")
    if data is None or "prepare" in _root_:
        return default
    as_given: Any = OmegaConf.to_container(data, resolve=False)
    if key == "name" and "data.name" in str(as_given.get("store")):
        return default  # by it the store is found
    store = data.get("store")
    return read_store_settings(Path(store)).get(key, default) if isinstance(store, str) else default


def register() -> None:
    """Make `${fbm.run_name:...}` and `${fbm.stored:...}` known to OmegaConf."""
    OmegaConf.register_new_resolver("fbm.run_name", run_name, replace=True)
    OmegaConf.register_new_resolver("fbm.stored", stored, replace=True)
