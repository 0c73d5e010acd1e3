from fbm.loggers.mirror import FinishedRun, Mirror, close, mirror

__all__ = ["FinishedRun", "Mirror", "close", "mirror"]
