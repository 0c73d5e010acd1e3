"""Finished runs on disk, and their summaries; without torch, so that a wrong path is refused at once."""

import json
from pathlib import Path
from typing import NamedTuple

from fbm.runs.exported import is_exported, local_path
from fbm.runs.files import CONFIG, EXPORTED_RESULTS, STUDY, SUMMARY
from fbm.runs.summary import RunSummary, read_summary
from fbm.utils.errors import UserError
from fbm.utils.files import read_validated


def read_results(path: Path) -> RunSummary:
    """The summary of a finished run, or of an exported one, which may be on the Hub.

    Raises:
        UserError: there is none, or it is damaged.
    """
    folder = local_path(path)
    if is_exported(folder):
        return read_validated(folder / EXPORTED_RESULTS, RunSummary.from_json, "Export the run again.")
    if not (folder / SUMMARY).is_file():
        found = "is a file" if folder.is_file() else "holds no summary.json" if folder.is_dir() else "does not exist"
        raise UserError(f"{path} {found}: name the folder of a finished run, or one that `fbm export` wrote")
    return read_summary(folder)


class Kind(NamedTuple):
    """A kind of run that `fbm analyse` takes: how it is called, whether it classifies, and what trains one."""

    name: str
    classifies: bool
    example: str
    takes: str


PRETRAINING = Kind("pretraining run", False, "fbm train task=disentangle", "fbm analyse takes pretraining runs")
CLASSIFICATION = Kind(
    "classification run", True, "fbm train task=classify", "fbm analyse --bias takes classification runs"
)


def finished_runs(path: Path, kind: Kind) -> list[Path]:
    """`path` itself where it is a finished run of this kind, all of them in it where it is a study.

    Raises:
        UserError: `path` is neither, is a run of another kind or not finished, or a summary is damaged.
    """
    if not path.is_dir():
        raise UserError(f"{path}: no such folder; name a finished {kind.name}, or a study that holds some")
    if (path / SUMMARY).is_file() or (path / CONFIG).is_file():
        check_kind(path, kind)
        return [path]
    found = [folder for folder in _finished(path) if _is(_read_summary(folder), kind)]
    if not found:
        raise UserError(f"{path}: no finished {kind.name} in it; train one ({kind.example})")
    return found


def _finished(study: Path) -> list[Path]:
    """The finished runs of a study: those that it declares, which may lie elsewhere, else those in its folder."""
    declared = study / STUDY
    if not declared.is_file():
        return [file.parent for file in sorted(study.glob(f"*/{SUMMARY}"))]
    try:
        folders = [study / job["folder"] for job in json.loads(declared.read_bytes())["jobs"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{declared} is damaged ({error}): run `fbm study` again, which rewrites it") from error
    return [folder for folder in folders if (folder / SUMMARY).is_file()]


def _read_summary(folder: Path) -> RunSummary:
    path = folder / SUMMARY
    try:
        return RunSummary.from_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is damaged ({error}): delete it and train again") from error


def check_kind(folder: Path, kind: Kind) -> RunSummary:
    """The summary of a run. UserError if it is not finished, of another kind, or damaged."""
    if not (folder / SUMMARY).is_file():
        raise UserError(f"{folder} is not finished (it has no {SUMMARY}): run its `fbm train` to the end first")
    summary = _read_summary(folder)
    if not _is(summary, kind):
        raise UserError(f"{folder} is of task={summary.task}: {kind.takes}")
    return summary


def _is(summary: RunSummary, kind: Kind) -> bool:
    return (summary.task == "classify") == kind.classifies
