"""Reading one of the two runs."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fbm.runs.files import CONFIG, SUMMARY
from fbm.runs.summary import RunSummary
from fbm.utils.errors import UserError


@dataclass(frozen=True)
class RunSnapshot:
    """A run folder that was read; older runs lack some of it.

    Attributes:
        folder: as the user gave it.
        config: resolved.
        summary: None while the run is not finished.
        patch: 16 hex digits of the uncommitted changes; None where none were recorded.
        packages: version of every installed distribution; empty where they were not recorded.
    """

    folder: Path
    config: dict[str, Any]
    summary: RunSummary | None
    patch: str | None
    packages: dict[str, str]


def read_run(folder: Path) -> RunSnapshot:
    """Read a run folder.

    Raises:
        UserError: it holds no run, or a damaged one.
    """
    if not (folder / CONFIG).is_file():
        raise UserError(f"no run at {folder}: {_hint(folder)}")
    return RunSnapshot(folder, _config(folder / CONFIG), _summary(folder / SUMMARY), _patch(folder), _packages(folder))


def _hint(folder: Path) -> str:
    if not folder.is_dir():
        return "it is a file; name the run's folder" if folder.exists() else "no such folder"
    runs = sorted(path.parent.name for path in folder.glob(f"*/{CONFIG}"))
    return (
        f"it is a study of {len(runs)} runs; name one of them, as {folder / runs[0]}" if runs else f"no {CONFIG} in it"
    )


def _config(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"{file} cannot be read as YAML ({str(error).splitlines()[0]})") from error
    if not isinstance(content, dict):
        raise UserError(f"{file} is damaged: it holds no settings")
    return content


def _summary(file: Path) -> RunSummary | None:
    if not file.is_file():
        return None
    try:
        return RunSummary.from_json(file.read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(f"{file} is damaged ({error}): delete it and run that job again") from error


def _patch(folder: Path) -> str | None:
    file = folder / "provenance" / "git.diff"
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16] if file.is_file() else None


def _packages(folder: Path) -> dict[str, str]:
    file = folder / "provenance" / "packages.txt"
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    return dict(line.split("==", 1) for line in lines if "==" in line)
