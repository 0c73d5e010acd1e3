"""How far Lightning's fit loop is, in the state that a checkpoint has of it."""

from typing import Any, NamedTuple

Loops = dict[str, Any]  # checkpoint["loops"]["fit_loop"], or `trainer.fit_loop.state_dict()`


class TrainingPosition(NamedTuple):
    """So many whole epochs, and so many steps of the next; no step where it is not begun."""

    epochs: int
    steps: int

    def __str__(self) -> str:
        return f"step {self.steps} of epoch {self.epochs + 1}" if self.steps else f"epoch {self.epochs}"


def place_in(loops: Loops) -> TrainingPosition:
    """Where training is; an epoch whose last step is done counts as whole."""
    epochs, steps = loops["epoch_progress"]["current"], loops["epoch_loop.batch_progress"]
    running = epochs["started"] > epochs["processed"]
    if running and not steps["is_last_batch"]:
        return TrainingPosition(epochs["processed"], steps["current"]["processed"])
    return TrainingPosition(epochs["started"] if running else epochs["processed"], 0)


def normalise_epoch_boundary(loops: Loops) -> None:
    """Where no epoch is in its middle, make it a state from which Lightning begins the next one.

    Saved at an epoch's start, or in the hooks at its end, Lightning's own counters say that something is left to do of
    this epoch; from some it would skip the next one, from others validate again.
    """
    place, progress = place_in(loops), loops["epoch_progress"]
    if place.steps:
        return
    for counters in (progress["current"], progress["total"]):
        counters.update(dict.fromkeys(counters, place.epochs))
