"""Loggers that another process can go on with: what was told is remembered, and told neither twice nor not at all."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only


class Row(NamedTuple):
    """What was logged at once: the training step, and numbers by name."""

    step: int
    metrics: dict[str, float]


class ReplayableLogger(ABC):
    """A logger that knows all that a run has told it, also what an earlier process did."""

    @cached_property
    def told(self) -> list[Row]:
        """Every row of the run, in order."""
        return []

    @abstractmethod
    def tell(self, metrics: Mapping[str, Any], step: int | None) -> None:
        """Log a row."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Lightning's call: log a row, and remember its numbers (what else a dashboard takes is shown at the end)."""
        self.tell(metrics, step)
        if numbers := {name: _plain(value) for name, value in metrics.items() if isinstance(value, int | float)}:
            self.told.append(Row(len(self.told) if step is None else step, numbers))

    def go_on(self, rows: Sequence[Row]) -> None:
        """Go on after these rows of an earlier process, which may have told more, or lost some of them."""
        self.told[:] = rows


def _plain(value: float) -> float:
    """Python's own number of numpy's: rows travel in checkpoints, which take no others."""
    return int(value) if isinstance(value, int) else float(value)


def rows_told(loggers: Iterable[Logger]) -> list[Row]:
    """What a run's loggers were told; nothing where none of them remembers."""
    return next((logger.told for logger in loggers if isinstance(logger, ReplayableLogger)), [])


@rank_zero_only
def go_on(loggers: Iterable[Logger], rows: Sequence[Row]) -> None:
    """Have all loggers go on after these rows."""
    for logger in loggers:
        if isinstance(logger, ReplayableLogger):
            logger.go_on(rows)
