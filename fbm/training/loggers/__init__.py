from fbm.training.loggers.mirror import FinishedRun, RunMirror, close, mirror
from fbm.training.loggers.resumable import ReplayableLogger, Row, logged_rows, replay

__all__ = ["FinishedRun", "ReplayableLogger", "Row", "RunMirror", "close", "logged_rows", "mirror", "replay"]
