"""Fingerprints of configs: which runs are the same, may be averaged, or compared."""

import hashlib
import json
from typing import Any

from omegaconf import DictConfig, OmegaConf

from fbm.config.compose import flatten, resolved
from fbm.config.keys import NON_SEMANTIC_KEYS, PERFORMANCE_KEYS, under
from fbm.config.renamed import FORMER
from fbm.runs.files import AUTO, NONE

# Without effect on which run it is; whether it is tested can be decided later.
HANDLING_KEYS = (
    *("hydra", "overwrite", "test", "logger", "data.num_workers", "data.module.num_workers"),
    *("callbacks.progress", "callbacks.last", *PERFORMANCE_KEYS),
)
# Settings that were added later, with the values that earlier runs had without them.
NULLABLE_KEYS = {
    **dict.fromkeys(("float32_matmul", "data.empty_classes", "data.module.empty_classes", "masks.source.misfits")),
    "task.weights._target_": "fbm.losses.LossWeights",
    **{f"task.weights.{term}": 1 for term in ("first_foreground", "first_background", "last_foreground", "features")},
}


def fingerprint(content: Any, leave_out: tuple[str, ...] = ()) -> str:
    """16 hex digits of a config's content, without the keys (dotted paths) in `leave_out`."""
    # A class that was renamed is the same class.
    named = {
        key: FORMER.get(value, value) if key.endswith("_target_") else value for key, value in flatten(content).items()
    }
    given = {key: value for key, value in named.items() if key not in NULLABLE_KEYS or value != NULLABLE_KEYS[key]}
    kept = {key: value for key, value in given.items() if not under(key, leave_out)}
    return hashlib.sha256(json.dumps(kept, sort_keys=True, default=str).encode()).hexdigest()[:16]


def identify(content: dict[str, Any]) -> str:
    """The fingerprint of one run, from its resolved config: the same settings, seed and places."""
    own = content.get("resume", AUTO) in (AUTO, NONE)  # it names no other run's checkpoint
    return fingerprint(content, (*HANDLING_KEYS, "resume") if own else HANDLING_KEYS)


def fingerprints(config: DictConfig, pretraining: str | None, source: dict[str, str] | None = None) -> dict[str, str]:
    """`config`: all that decides a result but the seed; `comparison`: the same without the initialisation.

    Args:
        pretraining: the config fingerprint of the run that made the encoder's weights.
        source: of the checkpoint of another run that this one resumes from: `place`, how far it was, and both of its
            fingerprints. Its content counts, not its path.
    """
    # A run's name and folder hold its seed and initialisation, and other keys are made of them (a callback's folder).
    placeless = config.copy()
    OmegaConf.set_readonly(placeless, None)  # what runs is frozen
    placeless.update({"seed": 0, "study": "", "name": "", "run_dir": ""})
    content = resolved(placeless)
    went_on = {key: {"went_on": [source["place"], source[key]]} if source else {} for key in ("config", "comparison")}
    return {
        "config": fingerprint({**content, "pretraining": pretraining, **went_on["config"]}, NON_SEMANTIC_KEYS),
        "comparison": fingerprint({**content, **went_on["comparison"]}, (*NON_SEMANTIC_KEYS, "init")),
    }
