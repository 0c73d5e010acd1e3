"""Where runs lie, and how a person would type it."""

import os
from pathlib import Path

from fbm.runs.files import CONFIG, SUMMARY


def shown(path: Path) -> str:
    """`path` relative to the working directory where it lies inside, absolute elsewhere."""
    here = Path.cwd()
    return (path.relative_to(here) if path.is_relative_to(here) else path).as_posix()


def is_run(folder: Path) -> bool:
    """Whether a run was started in `folder`."""
    return (folder / CONFIG).exists() or (folder / SUMMARY).exists()


def run_folders(top: Path) -> list[Path]:
    """Run folders at or below `top`, sorted.

    Not looked into: hidden folders (.hydra), the insides of a run (wandb), and what a run moved aside (earlier-1).
    """
    found = []
    for folder, below, _ in os.walk(top):
        if is_run(Path(folder)):
            found.append(Path(folder))
            below.clear()
        below[:] = [name for name in below if not name.startswith((".", "earlier-"))]
    return sorted(found)
