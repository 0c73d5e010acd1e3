"""Files of runs and studies: where they lie, how a person would type it, and what is said of a damaged one."""

import csv
import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml

from fbm.runs.files import CONFIG, METRICS, SUMMARY
from fbm.runs.summary import RunSummary
from fbm.utils.errors import UserError

Content = TypeVar("Content")
# The same as SafeLoader, ten times as fast where PyYAML was built with libyaml.
QuickLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def shown(path: Path) -> str:
    """`path` relative to the working directory where it lies inside, as it is elsewhere."""
    here = Path.cwd()
    return (path.relative_to(here) if path.is_relative_to(here) else path).as_posix()


def is_run(folder: Path) -> bool:
    """Whether a run was started in `folder`."""
    return (folder / CONFIG).exists() or (folder / SUMMARY).exists()


def run_folders(top: Path) -> list[Path]:
    """Run folders at or below `top`, sorted.

    Not looked into: hidden folders (.hydra), the insides of a run, W&B's folder (wandb) of a report, and what a run
    moved aside (earlier-1).
    """
    found = []
    for folder, below, _ in os.walk(top):
        if is_run(Path(folder)):
            found.append(Path(folder))
            below.clear()
        below[:] = [name for name in below if name != "wandb" and not name.startswith((".", "earlier-"))]
    return sorted(found)


def read_summary(folder: Path) -> RunSummary:
    """The summary of a finished run. UserError if it is damaged."""
    return read_validated(folder / SUMMARY, RunSummary.from_json, "Delete the file and run that job again.")


def read_config(folder: Path) -> dict[str, Any]:
    """The resolved config of a run; empty without the file. UserError if it is damaged."""
    file = folder / CONFIG
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), QuickLoader)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise damaged(file, f"not readable as YAML: {str(error).splitlines()[0]}", "Train again.") from error
    if not isinstance(content, dict):
        raise damaged(file, "it holds no settings", "Train again.")
    return content


def read_metrics(folder: Path) -> list[dict[str, str]]:
    """The rows of a run's metrics.csv; empty without the file. UserError if it cannot be read."""
    file = folder / METRICS
    if not file.exists():
        return []
    try:
        with file.open(newline="", encoding="utf-8") as lines:
            return list(csv.DictReader(lines))
    except (OSError, ValueError, csv.Error) as error:
        raise damaged(file, str(error), "Delete it or train again.") from error


def curve(folder: Path, rows: Sequence[Mapping[str, str]], column: str) -> dict[int, float]:
    """A column of `read_metrics` by epoch, counted from 1; empty if there is none. UserError for a damaged file.

    Rows are sparse and an epoch may come twice (after a resume): its last value counts.
    """
    try:
        found = {int(row["epoch"]) + 1: float(row[column]) for row in rows if row.get(column)}
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(folder / METRICS, str(error), "Delete it or train again.") from error
    return {epoch: value for epoch, value in sorted(found.items()) if math.isfinite(value)}


def read_validated(file: Path, from_json: Callable[[bytes], Content], remedy: str) -> Content:
    """What a JSON file holds. UserError, ending with `remedy`, where it does not fit its schema."""
    try:
        return from_json(file.read_bytes())
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise damaged(file, reason or str(error), remedy) from error


def damaged(file: Path, reason: str, remedy: str) -> UserError:
    """The error to raise."""
    return UserError(f"{shown(file)}: damaged {file.stem} ({reason}). {remedy}")
