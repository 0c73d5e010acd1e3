from fbm.loggers.mirror import FinishedRun, Mirror, close, mirror
from fbm.loggers.resumable import Resumable, Row, go_on, rows_told

__all__ = ["FinishedRun", "Mirror", "Resumable", "Row", "close", "go_on", "mirror", "rows_told"]
