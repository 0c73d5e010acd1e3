"""Finished pretraining runs on disk, and the network that each one's best checkpoint holds."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from fbm.config.instantiate import build
from fbm.data.store.frame_store import FrameStore
from fbm.evaluation.trained import trained_task
from fbm.models.encoder import Encoder
from fbm.runs.checkpoints import read_checkpoint
from fbm.runs.files import CONFIG, STUDY, SUMMARY
from fbm.runs.folder import Run
from fbm.runs.summary import RunSummary
from fbm.tasks.task import PretrainingTask
from fbm.utils.errors import UserError


@dataclass(frozen=True)
class Pretrained:
    """A finished pretraining run: its folder, its summary, and what its best checkpoint carries."""

    folder: Path
    summary: RunSummary
    checkpoint: dict[str, Any]

    @property
    def config(self) -> dict[str, Any]:
        """The resolved config."""
        content: dict[str, Any] = self.checkpoint["fbm"]["config"]
        return content

    @property
    def best(self) -> Path:
        """The checkpoint's file."""
        return Run(self.folder).best

    def task(self) -> PretrainingTask:
        """The trained network, in evaluation mode.

        Raises:
            UserError: it cannot be made from what the checkpoint carries.
        """
        need = "fbm analyse takes pretraining runs"
        kind: type[Any] = PretrainingTask  # abstract: mypy would refuse it as `type[PretrainingTask]`
        task: PretrainingTask = trained_task(self.checkpoint, self.summary, str(self.folder), kind, need)
        return task

    def untrained_encoder(self) -> Encoder:
        """The encoder as the run's seed makes it, in evaluation mode: where the training began."""
        with torch.random.fork_rng():
            torch.manual_seed(self.summary.seed)
            encoder: Encoder = build(self.config["encoder"])
        return encoder.eval()

    def store(self, named: Path | None) -> FrameStore:
        """The store it was trained on: `named`, or where its config says.

        Raises:
            UserError: there is none, or it holds other data.
        """
        root = named or Path(self.config["data"]["store"])
        try:
            store = FrameStore(root)
        except UserError as error:
            raise UserError(f"{self.folder}: {error}; where it lies elsewhere: --store PATH") from error
        there, wanted = store.manifest.fingerprint, self.summary.fingerprints.data
        if there != wanted:
            raise UserError(
                f"{self.folder} was trained on other data than {root} holds (fingerprints {wanted} and {there}): "
                "name its store with --store PATH"
            )
        return store


def pretraining_runs(path: Path) -> list[Path]:
    """`path` itself where it is a finished pretraining run, all of them in it where it is a study.

    Raises:
        UserError: `path` is neither, is a run of another kind or not finished, or a summary is damaged.
    """
    if not path.is_dir():
        raise UserError(f"{path}: no such folder; name a finished pretraining run, or a study that holds some")
    if (path / SUMMARY).is_file() or (path / CONFIG).is_file():
        _check(path)
        return [path]
    found = [folder for folder in _finished(path) if _pretrains(_read_summary(folder))]
    if not found:
        raise UserError(f"{path}: no finished pretraining run in it; train one (fbm train task=disentangle)")
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


def read_pretrained(folder: Path) -> Pretrained:
    """A run with its best checkpoint.

    Raises:
        UserError: the run is of another kind, not finished, or damaged.
    """
    summary = _check(folder)
    checkpoint = read_checkpoint(folder)
    if not isinstance(checkpoint["fbm"].get("config"), dict):
        raise UserError(f"{folder}: its checkpoint carries no config; train it again with this fbm")
    return Pretrained(folder, summary, checkpoint)


def _read_summary(folder: Path) -> RunSummary:
    path = folder / SUMMARY
    try:
        return RunSummary.from_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is damaged ({error}): delete it and train again") from error


def _check(folder: Path) -> RunSummary:
    if not (folder / SUMMARY).is_file():
        raise UserError(f"{folder} is not finished (it has no {SUMMARY}): run its `fbm train` to the end first")
    summary = _read_summary(folder)
    if not _pretrains(summary):
        raise UserError(f"{folder} is of task={summary.task}: fbm analyse takes pretraining runs")
    return summary


def _pretrains(summary: RunSummary) -> bool:
    return summary.task != "classify"
