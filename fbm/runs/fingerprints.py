"""Fingerprints of configs: which runs are the same, may be averaged, or compared."""

import hashlib
import json
from typing import Any

from omegaconf import DictConfig, OmegaConf

from fbm.config.compose import resolved
from fbm.config.keys import NON_SEMANTIC_KEYS, PERFORMANCE_KEYS, flatten, under
from fbm.config.renamed import FORMER, with_targets, without_added
from fbm.config.targets import path_keys
from fbm.runs.files import AUTO, NONE

# With other values it is the same run; whether it is tested can be decided later.
HANDLING_KEYS = (
    "hydra",
    "overwrite",
    "test",
    "logger",
    "data.num_workers",
    "data.module.num_workers",
    "callbacks.progress",
    "callbacks.last",
    *PERFORMANCE_KEYS,
)


def fingerprint(content: Any, leave_out: tuple[str, ...] = ()) -> str:
    """16 hex digits of a config's content, without the keys (dotted paths) in `leave_out`."""
    given = without_added(with_targets(flatten(content), FORMER))  # a class that was renamed is the same class
    kept = {key: value for key, value in given.items() if not under(key, leave_out)}
    return hashlib.sha256(json.dumps(kept, sort_keys=True, default=str).encode()).hexdigest()[:16]


def identify(content: dict[str, Any]) -> str:
    """The fingerprint of one run, from its resolved config: the same settings, seed and places."""
    own = content.get("resume", AUTO) in (AUTO, NONE)  # not another run's checkpoint
    return fingerprint(content, (*HANDLING_KEYS, "resume") if own else HANDLING_KEYS)


def result_fingerprints(
    config: DictConfig, pretraining: str | None, source: dict[str, str] | None = None
) -> dict[str, str]:
    """`config`: all that decides a result but the seed; `comparison`: the same without the initialisation.

    Args:
        pretraining: the config fingerprint of the run that made the encoder's weights.
        source: of the other run's checkpoint that this one resumes from: `place`, its progress, and both of its
            fingerprints. Its content counts, not its path.
    """
    # Name and folder contain seed and initialisation, and other keys are derived from them (a callback's folder).
    placeless = config.copy()
    OmegaConf.set_readonly(placeless, None)  # the config of a run is read-only
    placeless.update({"seed": 0, "study": "", "name": "", "run_dir": ""})
    content = resolved(placeless)
    ignored = (*NON_SEMANTIC_KEYS, *path_keys(config))
    prints = {}
    for kind, ours, more in (("config", {"pretraining": pretraining}, ()), ("comparison", {}, ("init",))):
        resumed = {"went_on": [source["place"], source[kind]]} if source else {}  # the key is part of the hash
        prints[kind] = fingerprint({**content, **ours, **resumed}, (*ignored, *more))
    return prints
