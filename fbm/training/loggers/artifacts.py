"""Checkpoints as W&B artifacts: what a pretraining makes and a classification starts from, tied by their content."""

import math
import re
from pathlib import Path
from typing import Any

from wandb import Artifact, Run


def model_artifact(path: Path, study: str | None, run: str | None, metadata: dict[str, Any]) -> Artifact:
    """The checkpoint of a run, by path: nothing is copied.

    Two made of the same file have one digest, by which W&B knows them to be the same version.
    """
    artifact = Artifact(re.sub(r"[^\w.-]+", "-", f"{study}-{run}")[:128], type="model", metadata=_sendable(metadata))
    # In full: `wandb sync` may be called from another folder.
    artifact.add_file(str(path.resolve()), name=path.name, policy="immutable", skip_cache=True)
    return artifact


def _sendable(value: Any) -> Any:
    """With infinite numbers as words: W&B takes none in an artifact's metadata."""
    if isinstance(value, dict):
        return {key: _sendable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_sendable(inner) for inner in value]
    return str(value) if isinstance(value, float) and math.isinf(value) else value


def use_artifact(run: Run, artifact: Artifact) -> None:
    """Declare an artifact as an input of a run.

    W&B's own `use_artifact` refuses offline, for the sake of names that only its server knows. With the artifact
    itself, what it does online can be written to an offline file too, and is done by `wandb sync`.
    """
    if run.offline:
        run._log_artifact(artifact, aliases=[], is_user_created=True, use_after_commit=True)
    else:
        run.use_artifact(artifact)
