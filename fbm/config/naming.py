"""Resolvers of the configs: a run's name, `TASK-INIT-seedN` and other settings, and what its store was made with."""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from fbm.config.keys import PATH_KEYS, under
from fbm.config.targets import path_keys
from fbm.data.store.settings import read_store_settings

# Part of every name, or of the folder that the run is in.
ALWAYS_NAMED = frozenset(["task", "init", "seed", "study", "name", "run_dir"])
# Keys that only say where files are, or what other parts of the name say.
EXCLUDED_KEYS = ALWAYS_NAMED | {
    "data",
    "experiment",
    "test",
    "overwrite",
    "launcher",
    "sweeper",
    "init.name",
    "init.checkpoint",
    "data.num_workers",
    "data.skip_broken",
    *PATH_KEYS,
}
EXCLUDED_GROUPS = ("pretrained", "logger", "hydra", "callbacks.progress", "callbacks.last", "data.generate")
# With another run's checkpoint, resume=PATH, it is another run.
SELF_RESUME = frozenset(["resume=auto", "resume=none"])
LONGEST = 80  # characters of settings; longer ones are replaced by a hash
SWEPT = "FBM_SWEPT"  # among Hydra's environment variables of a job, which are set wherever it runs


def run_name(task: str, init: str, seed: int, folder: str | None = None, *, _root_: DictConfig) -> str:
    """`${fbm.run_name:...}`: the name of the run that Hydra is composing, in letters, digits and `_.+-`.

    Args:
        folder: if an earlier fbm left this run here under a name with `=` and `,`, it keeps that name.
    """
    hydra = HydraConfig.get() if HydraConfig.initialized() else None
    # The chosen option, which may be more specific than the task's own name.
    name = f"{hydra.runtime.choices.get('task', task) if hydra else task}-{init}-seed{seed}"
    # As typed: an interpolation in an override refers to the config and cannot be resolved among the overrides.
    overrides = OmegaConf.to_container(hydra.overrides.task, resolve=False) if hydra else []
    assert isinstance(overrides, list)
    settings = [text.lstrip("+~") for text in overrides]
    keys = {text.split("=")[0] for text in settings}
    named = {key for key in keys if _in_name(key)}
    if any(key.startswith(("data.", "masks.")) for key in named):  # else the data set need not be imported
        named.difference_update(path_keys(_root_))
    swept = keys & _swept() if hydra else set()
    others = sorted(text for text in settings if text.split("=")[0] in named | swept and text not in SELF_RESUME)
    made = _safe(name, "+".join(others))
    if folder is not None and swept <= named:
        legacy = _legacy_name(name, others)
        if (Path(folder) / legacy).is_dir() and not (Path(folder) / made).is_dir():
            return legacy
    return made


def sweep_setting(keys: Iterable[str]) -> list[str]:
    """The setting that puts swept keys into the names of the jobs, for those that are not there anyway."""
    # Which keys of the data are paths is known only when the config is composed.
    added = {key for key in set(keys) - ALWAYS_NAMED if not _in_name(key) or key.startswith(("data.", "masks."))}
    return [f"+hydra.job.env_set.{SWEPT}='{','.join(sorted(added))}'"] if added else []


def _swept() -> set[str]:
    hydra = HydraConfig.get()
    declared = hydra.sweeper.get("params") or {}  # a sweep of a config file
    return {*hydra.job.env_set.get(SWEPT, "").split(","), *map(str, declared)} - ALWAYS_NAMED


def _in_name(key: str) -> bool:
    return key not in EXCLUDED_KEYS and not under(key, EXCLUDED_GROUPS)


def _safe(name: str, settings: str) -> str:
    """Name and settings in characters that need no quotes anywhere; a hash replaces what had to be removed."""
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
    """The name of a run when `=` and `,` were kept."""
    suffix = re.sub(r"[^\w.,=+-]+", "_", ",".join(others))
    if len(suffix) > LONGEST:
        suffix = _hash(suffix, 10)
    return f"{name}-{suffix}" if suffix else name


def stored(key: str, default: Any, *, _root_: DictConfig) -> Any:
    """`${fbm.stored:KEY,DEFAULT}`: what the store that a run reads was prepared with, or else the default.

    A value given on the command line replaces it, and is compared with the store's when the store is opened.

    Args:
        key: "name", "size", "masks", "skip_broken", or a choice of the data set (`VideoDataset.selection`).
        default: of the chosen option; `fbm prepare` always takes it.
    """
    data = _root_.get("data")
    if data is None or "prepare" in _root_:
        return default
    if key == "name":
        as_given: Any = OmegaConf.to_container(data, resolve=False)
        if "data.name" in str(as_given.get("store")):
            return default  # the store's folder is named after it
    store = data.get("store")
    return read_store_settings(Path(store)).get(key, default) if isinstance(store, str) else default


def default_decoder(frames: Any) -> str:
    """`${fbm.default_decoder:FRAMES}`: the decoder for `data.frames`, unless one is chosen."""
    return "decord" if frames == "files" else "pyav"


def register() -> None:
    """Make `${fbm.run_name:...}`, `${fbm.stored:...}` and `${fbm.default_decoder:...}` known to OmegaConf."""
    OmegaConf.register_new_resolver("fbm.default_decoder", default_decoder, replace=True)
    OmegaConf.register_new_resolver("fbm.run_name", run_name, replace=True)
    OmegaConf.register_new_resolver("fbm.stored", stored, replace=True)
