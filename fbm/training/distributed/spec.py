"""What a rank is told: the job's config, as its lead composed it, and its run folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from fbm.runs.folder import Run

HYDRA_INTERPOLATIONS = (
    "${hydra:",
    "${fbm.",
)  # interpolations that only the process can resolve in which Hydra composed


@dataclass(frozen=True)
class WorkerConfig:
    """Plain values: they travel as JSON, between machines too.

    Attributes:
        config: YAML, interpolations and all.
        identity: the run's fingerprint.
        folder, start_from, same, summary: of `Run`.
    """

    config: str
    identity: str
    folder: str
    start_from: str | None
    same: bool
    summary: dict[str, Any] | None

    def run(self, main: bool) -> Run:
        """The run as one rank has it; its lead holds the folder."""
        start = Path(self.start_from) if self.start_from is not None else None
        return Run(Path(self.folder), self.summary, main=main, start_from=start, same=self.same)


def spec_of(config: DictConfig, run: Run, identity: str) -> WorkerConfig:
    """What the ranks of this run are told."""
    raw, full = (OmegaConf.to_container(config, resolve=resolve) for resolve in (False, True))
    text = OmegaConf.to_yaml(OmegaConf.create(_portable(raw, full)))
    start = str(run.start_from) if run.start_from is not None else None
    return WorkerConfig(text, identity, str(run.folder), start, run.same, run.summary)


def _portable(raw: Any, full: Any) -> Any:
    if isinstance(raw, dict):
        return {key: _portable(value, full[key]) for key, value in raw.items()}
    if isinstance(raw, list):
        return [_portable(value, other) for value, other in zip(raw, full, strict=True)]
    return full if isinstance(raw, str) and any(sign in raw for sign in HYDRA_INTERPOLATIONS) else raw
