"""What a rank is given: the job's config as its launcher composed it, the run, and the function that trains it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from fbm.runs.folder import Run

# Interpolations that can be resolved only in the process in which Hydra composed the config.
HYDRA_INTERPOLATIONS = ("${hydra:", "${fbm.")

Train = Callable[[DictConfig, Run, str], None]  # trains a run with this identity, in the process that calls it


@dataclass(frozen=True)
class WorkerConfig:
    """Plain values, sent as JSON, also to other machines.

    Attributes:
        train: name of the function, as `pkgutil.resolve_name` takes it.
        config: YAML. Other interpolations than Hydra's are kept: they may differ between machines.
        identity: the run's fingerprint.
        folder, start_from, same, summary: of `Run`.
    """

    train: str
    config: str
    identity: str
    folder: str
    start_from: str | None
    same: bool
    summary: dict[str, Any] | None

    def run(self, main: bool) -> Run:
        """The run for one rank; the lock of its folder is the launcher's."""
        start_from = None if self.start_from is None else Path(self.start_from)
        return Run(Path(self.folder), self.summary, main=main, start_from=start_from, same=self.same)


def worker_config(train: Train, config: DictConfig, run: Run, identity: str) -> WorkerConfig:
    """The ranks' part of a run; `train` is a function of a module."""
    raw = OmegaConf.to_container(config, resolve=False)
    resolved = OmegaConf.to_container(config, resolve=True)
    return WorkerConfig(
        train=f"{train.__module__}:{train.__qualname__}",
        config=OmegaConf.to_yaml(OmegaConf.create(_resolve_hydra(raw, resolved))),
        identity=identity,
        folder=str(run.folder),
        start_from=None if run.start_from is None else str(run.start_from),
        same=run.same,
        summary=run.summary,
    )


def _resolve_hydra(raw: Any, resolved: Any) -> Any:
    if isinstance(raw, dict):
        return {key: _resolve_hydra(value, resolved[key]) for key, value in raw.items()}
    if isinstance(raw, list):
        return [_resolve_hydra(value, other) for value, other in zip(raw, resolved, strict=True)]
    return resolved if isinstance(raw, str) and any(sign in raw for sign in HYDRA_INTERPOLATIONS) else raw
