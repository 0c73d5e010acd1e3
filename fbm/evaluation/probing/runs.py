"""Finished runs on disk, and the network that each one's best checkpoint holds."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from fbm.config.instantiate import build
from fbm.data.store.frame_store import FrameStore
from fbm.evaluation.finished import CLASSIFICATION, PRETRAINING, Kind, check_kind
from fbm.evaluation.trained import trained_task
from fbm.models.encoder import Encoder
from fbm.runs.checkpoints import adapt_as_trained, read_checkpoint
from fbm.runs.folder import Run
from fbm.runs.summary import RunSummary
from fbm.tasks.task import PretrainingTask
from fbm.utils.errors import UserError


@dataclass(frozen=True)
class MeasuredRun:
    """A finished run: its folder, its summary, and what its best checkpoint carries."""

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


class Pretrained(MeasuredRun):
    """A finished pretraining run."""

    def task(self) -> PretrainingTask:
        """The trained network, in evaluation mode.

        Raises:
            UserError: it cannot be made from what the checkpoint carries.
        """
        need = "fbm analyse takes pretraining runs"
        kind: Any = PretrainingTask  # abstract
        made: PretrainingTask = trained_task(self.checkpoint, self.summary, str(self.folder), kind, need)
        return made

    def untrained_encoder(self) -> Encoder:
        """The encoder as the run's seed makes it, in evaluation mode: where the training began."""
        with torch.random.fork_rng():
            torch.manual_seed(self.summary.seed)
            encoder: Encoder = build(self.config["encoder"])
        adapt_as_trained(encoder, self.config)
        return encoder.eval()


def read_pretrained(folder: Path) -> Pretrained:
    """A pretraining run with its best checkpoint. UserError: see `read_run`."""
    return Pretrained(*read_run(folder, PRETRAINING))


def read_classified(folder: Path) -> MeasuredRun:
    """A classification run with its best checkpoint. UserError: see `read_run`."""
    return MeasuredRun(*read_run(folder, CLASSIFICATION))


def read_run(folder: Path, kind: Kind) -> tuple[Path, RunSummary, dict[str, Any]]:
    """The folder, the summary and the best checkpoint of a run.

    Raises:
        UserError: the run is of another kind, not finished, or damaged.
    """
    summary = check_kind(folder, kind)
    checkpoint = read_checkpoint(folder)
    if not isinstance(checkpoint["fbm"].get("config"), dict):
        raise UserError(f"{folder}: its checkpoint carries no config; train it again with this fbm")
    return folder, summary, checkpoint
