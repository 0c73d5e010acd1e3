"""Lightning's fit loop as a checkpoint holds it: how far it is, and a state to resume from."""

from typing import Any, NamedTuple

Loops = dict[str, Any]  # checkpoint["loops"]["fit_loop"], or `trainer.fit_loop.state_dict()`


class TrainingPosition(NamedTuple):
    """Completed epochs, and completed steps of the next one."""

    epochs: int
    steps: int

    def __str__(self) -> str:
        return f"step {self.steps} of epoch {self.epochs + 1}" if self.steps else f"epoch {self.epochs}"


def position_in(loops: Loops) -> TrainingPosition:
    """How far training is; an epoch whose last step is done counts as completed."""
    epochs, steps = loops["epoch_progress"]["current"], loops["epoch_loop.batch_progress"]
    running = epochs["started"] > epochs["processed"]
    if running and not steps["is_last_batch"]:
        return TrainingPosition(epochs["processed"], steps["current"]["processed"])
    return TrainingPosition(epochs["started"] if running else epochs["processed"], 0)


def normalise_epoch_boundary(loops: Loops) -> None:
    """Between two epochs, set the counters so that Lightning resumes with the next one.

    Saved at the start of an epoch, or in the hooks at its end, Lightning's counters say that this epoch is not done:
    from some it would skip the next one, from others validate again.
    """
    place, progress = position_in(loops), loops["epoch_progress"]
    if place.steps:
        return
    for counters in (progress["current"], progress["total"]):
        counters.update(dict.fromkeys(counters, place.epochs))
