"""States of the random number generators, as plain values that weights-only loading accepts."""

import random
from typing import Any

import numpy as np
import torch


def random_states(device: torch.device) -> dict[str, Any]:
    """The state of Python's, numpy's and torch's generators, and of the GPU's where the device is one."""
    numpy: Any = np.random.get_state(legacy=False)
    states = {
        "python": random.getstate(),
        "numpy": {**numpy, "state": {**numpy["state"], "key": numpy["state"]["key"].tolist()}},
        "torch": torch.get_rng_state(),
    }
    return states | ({"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {})


def restore_random_states(states: dict[str, Any], device: torch.device) -> None:
    """Restore what `random_states` gave; the GPU's where there was one then and is one now."""
    random.setstate(states["python"])
    inner = states["numpy"]["state"]
    np.random.set_state({**states["numpy"], "state": {**inner, "key": np.array(inner["key"], dtype=np.uint32)}})
    torch.set_rng_state(states["torch"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
