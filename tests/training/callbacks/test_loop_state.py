import copy
from typing import Any

import pytest

from fbm.training.callbacks.loop_state import TrainingPosition, normalise_epoch_boundary, position_in


def loops(ready: int, started: int, processed: int, completed: int, steps: int, last: bool) -> dict[str, Any]:
    epochs = {"ready": ready, "started": started, "processed": processed, "completed": completed}
    batches = {"ready": steps, "started": steps, "processed": steps, "completed": steps}
    return {
        "epoch_progress": {"total": dict(epochs), "current": dict(epochs)},
        "epoch_loop.batch_progress": {"total": dict(batches), "current": dict(batches), "is_last_batch": last},
    }


IN_THE_MIDDLE = loops(3, 3, 2, 2, 57, False)


@pytest.mark.parametrize(
    ("state", "place", "told"),
    [
        (loops(0, 0, 0, 0, 0, False), TrainingPosition(0, 0), "epoch 0"),
        (IN_THE_MIDDLE, TrainingPosition(2, 57), "step 57 of epoch 3"),
        (loops(3, 2, 2, 2, 90, True), TrainingPosition(2, 0), "epoch 2"),  # at the start of the third
        (loops(3, 3, 2, 2, 90, True), TrainingPosition(3, 0), "epoch 3"),  # in the validation of the third
        (loops(3, 3, 3, 2, 90, True), TrainingPosition(3, 0), "epoch 3"),  # in the hooks at its end
        (loops(3, 3, 3, 3, 90, True), TrainingPosition(3, 0), "epoch 3"),  # when training is over
    ],
)
def test_where_training_is(state, place, told):
    assert position_in(state) == place
    assert str(position_in(state)) == told
    between = copy.deepcopy(state)
    normalise_epoch_boundary(between)
    assert position_in(between) == place
    for counters in between["epoch_progress"].values():
        assert (set(counters.values()) == {place.epochs}) == (place.steps == 0)


def test_the_middle_of_an_epoch_is_left_alone():
    state = copy.deepcopy(IN_THE_MIDDLE)
    normalise_epoch_boundary(state)
    assert state == IN_THE_MIDDLE
