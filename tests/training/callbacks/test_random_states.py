import random
from typing import Any

import numpy as np
import torch

from fbm.training.callbacks.random_states import random_states, restore_random_states

CPU = torch.device("cpu")


def drawn() -> list[Any]:
    return [random.random(), random.gauss(0, 1), np.random.rand(), np.random.randn(), float(torch.rand(1))]


def test_drawing_goes_on_where_it_was_also_from_a_file(tmp_path):
    random.gauss(0, 1)  # the generators have a second normal number at hand
    np.random.randn()
    torch.save(random_states(CPU), tmp_path / "states")
    first = drawn()
    assert drawn() != first
    restore_random_states(torch.load(tmp_path / "states", weights_only=True), CPU)
    assert drawn() == first


def test_states_of_a_gpu_are_left_out_where_there_is_none_and_ignored_if_found():
    states = random_states(CPU)
    assert set(states) == {"python", "numpy", "torch"}
    restore_random_states({**states, "cuda": torch.zeros(16)}, CPU)
