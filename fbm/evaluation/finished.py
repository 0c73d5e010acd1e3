"""Finished runs on disk, and their summaries; without torch, so that a wrong path is refused at once."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from fbm.report.read.files import is_run, run_folders
from fbm.report.read.study import read_study
from fbm.runs.exported import is_exported, local_path
from fbm.runs.files import EXPORTED_RESULTS, SUMMARY
from fbm.runs.summary import RunSummary, read_summary, summary_if_finished
from fbm.utils.errors import UserError
from fbm.utils.files import read_validated, shown


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


def finished_runs(paths: Iterable[Path], kind: Kind) -> list[Path]:
    """The finished runs of this kind, each once: the paths that are runs, and all in those that are studies.

    Raises:
        UserError: a path is neither, is a run of another kind or not finished, or a file is damaged.
    """
    found: dict[Path, Path] = {}
    for folder in (folder for path in paths for folder in _finished(path, kind)):
        found.setdefault(folder.resolve(), folder)
    return list(found.values())


def _finished(path: Path, kind: Kind) -> list[Path]:
    """`path` itself, or of a study the runs that it declares, which may lie elsewhere, else those in its folder."""
    if not path.is_dir():
        raise UserError(f"{path}: no such folder; name a finished {kind.name}, or a study that holds some")
    if is_run(path):
        summary = summary_if_finished(path)
        if summary is None:
            raise UserError(f"{path} is not finished (it has no {SUMMARY}): run its `fbm train` to the end first")
        if not _is(summary, kind):
            raise UserError(f"{path} is of task={summary.task}: {kind.takes}")
        return [path]
    declared = read_study(path)
    folders = run_folders(path) if declared is None else [Path(shown(folder)) for folder in declared]
    found = [folder for folder in folders if (summary := summary_if_finished(folder)) and _is(summary, kind)]
    if not found:
        raise UserError(f"{path}: no finished {kind.name} in it; train one ({kind.example})")
    return found


def _is(summary: RunSummary, kind: Kind) -> bool:
    return (summary.task == "classify") == kind.classifies
