"""What an analysis needs of a finished run beside its network: the store it was trained on, and where it began."""

from pathlib import Path

import torch

from fbm.config.instantiate import build
from fbm.data.store.frame_store import FrameStore
from fbm.evaluation.trained_run import TrainedRun
from fbm.models.encoder import Encoder
from fbm.runs.checkpoints import adapt_as_trained
from fbm.utils.errors import UserError


def store_of(run: TrainedRun, named: Path | None) -> FrameStore:
    """The store that a run was trained on: `named`, or where its config says.

    Raises:
        UserError: there is none, or it holds other data.
    """
    root = named or Path(run.config["data"]["store"])
    try:
        store = FrameStore(root)
    except UserError as error:
        raise UserError(f"{run.path}: {error}; where it lies elsewhere: --store PATH") from error
    there, wanted = store.manifest.fingerprint, run.summary.fingerprints.data
    if there != wanted:
        raise UserError(
            f"{run.path} was trained on other data than {root} holds (fingerprints {wanted} and {there}): "
            "name its store with --store PATH"
        )
    return store


def untrained_encoder(run: TrainedRun) -> Encoder:
    """The encoder as the run's seed makes it, in evaluation mode on its device: where the training began."""
    with torch.random.fork_rng():
        torch.manual_seed(run.summary.seed)
        encoder: Encoder = build(run.config["encoder"])
    adapt_as_trained(encoder, run.config)
    return encoder.eval().to(run.device)
