"""Checkpoints as W&B artifacts: the output of a pretraining and the input of a classification, linked by content."""

import math
import re
from pathlib import Path
from typing import Any

from wandb import Artifact, Run


def model_artifact(path: Path, study: str | None, run: str | None, metadata: dict[str, Any]) -> Artifact:
    """The checkpoint of a run, by path: nothing is copied.

    Two artifacts of the same file have one digest, so W&B treats them as the same version.
    """
    artifact = Artifact(artifact_name(study, run), type="model", metadata=_without_infinities(metadata))
    # Absolute: `wandb sync` may be called from another folder.
    artifact.add_file(str(path.resolve()), name=path.name, policy="immutable", skip_cache=True)
    return artifact


def artifact_name(study: str | None, run: str | None) -> str:
    """The name of an artifact of a run, in the characters and the length that W&B takes."""
    return re.sub(r"[^\w.-]+", "-", f"{study}-{run}")[:128]


def _without_infinities(value: Any) -> Any:
    """Infinite numbers as text: W&B accepts none in the metadata of an artifact."""
    if isinstance(value, dict):
        return {key: _without_infinities(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_infinities(inner) for inner in value]
    return str(value) if isinstance(value, float) and math.isinf(value) else value


def use_artifact(run: Run, artifact: Artifact) -> None:
    """Declare an artifact as an input of a run.

    W&B's own `use_artifact` fails offline, because it resolves names on the server. Given the artifact itself, the
    same record can be written to an offline file, and `wandb sync` applies it.
    """
    if run.offline:
        run._log_artifact(artifact, aliases=[], is_user_created=True, use_after_commit=True)
    else:
        run.use_artifact(artifact)
