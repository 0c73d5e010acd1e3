"""Where the weights of a run lie; without torch, so that a wrong path is refused at once."""

from pathlib import Path

from fbm.runs.exported import is_exported, local_path
from fbm.runs.files import BEST, CHECKPOINTS, EXPORTED_WEIGHTS, SUMMARY
from fbm.utils.errors import UserError


def find_checkpoint(path: Path) -> Path:
    """`path` itself, the best checkpoint if it is a run folder, or the weights if `fbm export` wrote it.

    Args:
        path: `hf://USER/NAME` is downloaded.

    Raises:
        UserError: there is none.
    """
    path = local_path(path)
    if is_exported(path):
        return path / EXPORTED_WEIGHTS
    best = path / CHECKPOINTS / BEST
    if path.is_dir() and not (best.is_file() and (path / SUMMARY).is_file()):
        raise UserError(f"no finished run at {path}: it holds no {SUMMARY} or no {CHECKPOINTS}/{BEST}")
    if not path.exists():
        raise UserError(f"no such checkpoint: {path}")
    return best if path.is_dir() else path
