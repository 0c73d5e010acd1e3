"""Files of runs: where they lie, and what config and metrics hold."""

import csv
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from fbm.runs.files import CONFIG, METRICS, SUMMARY
from fbm.utils.files import damaged

# The same as SafeLoader, ten times as fast where PyYAML was built with libyaml.
QuickLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


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
