"""The history of a run over its attempts, as its checkpoints keep it."""

import time
from dataclasses import dataclass, field


@dataclass
class RunHistory:
    """What earlier attempts of a run leave to the next one.

    Attributes:
        started: start of the first attempt, seconds since 1970.
        seconds: duration of all earlier attempts, up to their last save.
        resumed: how often the run was resumed.
        pretraining: config fingerprint of the run that made its initial weights.
        source: the other run's checkpoint that it started from: `checkpoint`, `place`, and the fingerprints `config`
            and `comparison`.
    """

    started: float = field(default_factory=time.time)
    seconds: float = 0.0
    resumed: int = 0
    pretraining: str | None = None
    source: dict[str, str] | None = None
