from fbm.training.loggers.mirror import FinishedRun, RunMirror, close, mirror
from fbm.training.loggers.resumable import ReplayableLogger, Row, go_on, rows_told

__all__ = ["FinishedRun", "ReplayableLogger", "Row", "RunMirror", "close", "go_on", "mirror", "rows_told"]
