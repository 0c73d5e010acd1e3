"""Run folders on disk -> `Run`: finding them, reading their summaries, refusing what cannot be reported."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from fbm.errors import UserError


@dataclass(frozen=True)
class Fingerprints:
    """Hashes of what a run depended on: `config` leaves out the seed, `comparison` the initialisation too."""

    config: str
    comparison: str
    data: str


@dataclass(frozen=True)
class Summary:
    """A `summary.json`, as the training spine writes it; unknown keys are ignored."""

    run: str
    task: str
    seed: int
    metrics: dict[str, float | None]
    fingerprints: Fingerprints
    init: str | None = None
    study: str = ""
    epochs: int | None = None
    data: str = ""
    classes: list[str] = field(default_factory=list)
    samples: dict[str, int] = field(default_factory=dict)
    git: dict[str, Any] | None = None
    versions: dict[str, str] = field(default_factory=dict)
    hardware: dict[str, Any] = field(default_factory=dict)
    throughput: dict[str, float | None] = field(default_factory=dict)
    seconds: float | None = None


@dataclass(frozen=True)
class Run:
    """One finished run: its folder and what its summary says."""

    path: Path
    summary: Summary

    @property
    def where(self) -> str:
        """The folder as a person would type it from here."""
        return shown(self.path)

    def accuracy(self, metric: str) -> float | None:
        """One accuracy of the summary, None if it was not measured. UserError unless it is in 0..1."""
        value = self.summary.metrics.get(metric)
        if value is not None and not 0 <= value <= 1:  # also refuses nan
            raise UserError(f"{self.where}/summary.json: {metric} is {value}, not in 0..1. Train again.")
        return value

    def config(self) -> dict[str, Any]:
        """The resolved config. UserError if the file is not readable YAML."""
        file = self.path / "config.yaml"
        try:
            loaded = yaml.safe_load(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise UserError(f"{shown(file)}: not readable as YAML. Train again.") from error
        return loaded if isinstance(loaded, dict) else {}


@dataclass(frozen=True)
class Found:
    """What lies under the given paths: finished runs, and folders of runs that never wrote a summary."""

    runs: tuple[Run, ...]
    unfinished: tuple[Path, ...]

    def of(self, *tasks: str) -> tuple[Run, ...]:
        """The finished runs of these tasks."""
        return tuple(run for run in self.runs if run.summary.task in tasks)


def shown(path: Path) -> str:
    """`path` relative to the working directory where it lies inside, absolute elsewhere."""
    here = Path.cwd()
    return (path.relative_to(here) if path.is_relative_to(here) else path).as_posix()


def run_folders(top: Path) -> list[Path]:
    """Run folders at or below `top`, sorted, without hidden folders (.hydra) and runs' insides (wandb)."""
    found = []
    for folder, below, files in os.walk(top):
        if "config.yaml" in files or "summary.json" in files:
            found.append(Path(folder))
            below.clear()
        below[:] = [name for name in below if not name.startswith(".")]
    return sorted(found)


def read_summary(file: Path) -> Summary:
    """One summary. UserError if it is damaged."""
    try:
        return TypeAdapter(Summary).validate_json(file.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        reason = f"{place}: {first['msg']}" if place else first["msg"]
    except OSError as error:
        reason = error.strerror or type(error).__name__
    raise UserError(f"{shown(file)}: damaged summary ({reason}). Delete the file and run that job again.")


def find(paths: Sequence[Path]) -> Found:
    """All runs at or below `paths`, each once. UserError for a missing path, no run, or two data sets."""
    folders: dict[Path, None] = {}
    for path in paths:
        if not path.is_dir():
            raise UserError(f"{path}: no such folder. Name a study (outputs/demo) or run folders inside one.")
        folders.update(dict.fromkeys(run_folders(path.resolve())))
    if not folders:
        asked = ", ".join(map(str, paths))
        raise UserError(f"{asked}: no run found (no folder with a config.yaml). Train first.")
    finished = [folder for folder in folders if (folder / "summary.json").exists()]
    runs = tuple(Run(folder, read_summary(folder / "summary.json")) for folder in finished)
    _refuse_two_data_sets(runs)
    return Found(runs, tuple(folder for folder in folders if folder not in finished))


def _refuse_two_data_sets(runs: Sequence[Run]) -> None:
    for run in runs:
        if run.summary.fingerprints.data != runs[0].summary.fingerprints.data:
            raise UserError(
                f"two data sets among the runs: {runs[0].where} ({runs[0].summary.data}) and {run.where} "
                f"({run.summary.data}) have different data fingerprints. Report on one data set at a time."
            )
