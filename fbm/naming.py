"""A run's name follows from what was asked for: `TASK-INIT-seedN`, then the other settings given."""

import hashlib
import re

from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

# Said by the name already, or deciding only where things are: these keys, and whole nodes with all that is in them.
KEYS = {"task", "init", "seed", "data", "experiment", "study", "name", "run_dir", "test", "overwrite", "data.root"}
KEYS |= {"engine", "init.name", "init.checkpoint", "data.store", "data.annotations", "data.workers", "data.skip_broken"}
KEYS |= {"data.folders", "data.test_lists"}
NODES = ("pretrained", "logger", "hydra", "callbacks.progress", "callbacks.last")
OWN = {"resume=auto", "resume=none"}  # another run's checkpoint is named: the run that goes on from it is another one
LONGEST = 80  # characters of settings; longer ones are told by a hash


def run_name(task: str, init: str, seed: int) -> str:
    """The name of the run that Hydra is composing."""
    asked = HydraConfig.get() if HydraConfig.initialized() else None
    # The option that was chosen, where it says more than the task's own name.
    name = f"{asked.runtime.choices.get('task', task) if asked else task}-{init}-seed{seed}"
    # As they were typed: an interpolation in one is the config's, and cannot be resolved among the overrides.
    given = OmegaConf.to_container(asked.overrides.task, resolve=False) if asked else []
    assert isinstance(given, list)
    plain = [text.lstrip("+~") for text in given]
    others = sorted(text for text in plain if text not in OWN and not _unnamed(text.split("=")[0]))
    suffix = re.sub(r"[^\w.,=+-]+", "_", ",".join(others))
    if len(suffix) > LONGEST:
        suffix = hashlib.sha256(suffix.encode()).hexdigest()[:10]
    return f"{name}-{suffix}" if suffix else name


def _unnamed(key: str) -> bool:
    return key in KEYS or any(key == node or key.startswith(f"{node}.") for node in NODES)


def register() -> None:
    """Make `${fbm.run_name:...}` known to OmegaConf."""
    OmegaConf.register_new_resolver("fbm.run_name", run_name, replace=True)
