"""Loggers that survive a restart: checkpoints hold the logged rows, so a resumed run repeats and loses none."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only


class Row(NamedTuple):
    """Numbers that were logged together, by name, and the training step."""

    step: int
    metrics: dict[str, float]


class ReplayableLogger(ABC):
    """A logger that knows all rows of its run, those of earlier processes included."""

    @cached_property
    def history(self) -> list[Row]:
        """Every row of the run, in order."""
        return []

    @abstractmethod
    def log_row(self, metrics: Mapping[str, Any], step: int | None) -> None:
        """Log a row."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Called by Lightning: log a row and remember its numbers; other values are not replayed."""
        self.log_row(metrics, step)
        if numbers := {name: _plain(value) for name, value in metrics.items() if isinstance(value, int | float)}:
            self.history.append(Row(len(self.history) if step is None else step, numbers))

    def replay(self, rows: Sequence[Row]) -> None:
        """Continue after these rows of an earlier process, which may have logged more of them, or lost some."""
        self.history[:] = rows


def _plain(value: float) -> float:
    """A Python number instead of numpy's: checkpoints hold no others."""
    return int(value) if isinstance(value, int) else float(value)


def logged_rows(loggers: Iterable[Logger]) -> list[Row]:
    """The rows that a run's loggers have logged; empty if none of them remembers."""
    return next((logger.history for logger in loggers if isinstance(logger, ReplayableLogger)), [])


@rank_zero_only
def replay(loggers: Iterable[Logger], rows: Sequence[Row]) -> None:
    """Have all loggers continue after these rows."""
    for logger in loggers:
        if isinstance(logger, ReplayableLogger):
            logger.replay(rows)
