"""Measuring in turn, so that a machine that drifts slows all alike; each in a process of its own where that matters."""

from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any, TypeVar

from fbm.utils.errors import UserError
from fbm.utils.progress import progress

Made = TypeVar("Made")


def in_turn(measures: Mapping[str, Callable[[], Made]], rounds: int) -> dict[str, list[Made]]:
    """Every measure once a round; gives each one's results in the order of the rounds."""
    found: dict[str, list[Made]] = {name: [] for name in measures}
    with progress("bench", rounds * len(measures), "measures") as advance:
        for _ in range(rounds):
            for name, measure in measures.items():
                found[name].append(measure())
                advance()
    return found


def alone(measure: Callable[..., Made], *given: Any) -> Made:
    """What `measure` gives in a fresh process, which no other measure has warmed up or tuned.

    Raises:
        UserError: the process ended without a word, as it does when memory ends.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            return pool.submit(measure, *given).result()
        except BrokenProcessPool as error:
            raise UserError(f"{measure.__name__}{given}: its process was killed: is there enough memory?") from error
