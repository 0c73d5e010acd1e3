"""`metrics.csv` in the run folder."""

import csv
import io
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from fbm.runs.files import METRICS
from fbm.training.loggers.resumable import ReplayableLogger, Row
from fbm.utils.files import write_text


class CSVLogger(ReplayableLogger, Logger):
    """A row whenever something is logged, a column per metric, in alphabetical order.

    Every row rewrites the file, so it is always whole. Lightning's own logger appends, which leaves half a line when
    the process is killed, and starts a new file in every process.

    Args:
        folder: the run's.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.path = Path(folder) / METRICS
        self.written = 0  # rows

    @property
    def name(self) -> str:
        return ""

    @property
    def version(self) -> str:
        return ""

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *_: Any, **__: Any) -> None:
        """Nothing: the run folder has its config.yaml."""

    def log_row(self, metrics: Mapping[str, Any], step: int | None) -> None:
        """Nothing yet: Lightning calls `save` after each row."""

    def replay(self, rows: Sequence[Row]) -> None:
        super().replay(rows)
        self.written = -1  # the file may hold other rows
        self.save()

    @rank_zero_only
    def save(self) -> None:
        """Write every row to the file."""
        if self.written == len(self.history):
            return
        names = sorted({name for row in self.history for name in row.metrics} | {"step"})
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, names)
        writer.writeheader()
        writer.writerows({**row.metrics, "step": row.step} for row in self.history)
        write_text(self.path, text.getvalue())
        self.written = len(self.history)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        self.save()
