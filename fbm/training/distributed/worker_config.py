"""What a rank is given: the job's config as its launcher composed it, the run, and the function that trains it."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from fbm.runs.folder import Run
from fbm.runs.summary import RunSummary

# Interpolations that can be resolved only in the process in which Hydra composed the config.
HYDRA_INTERPOLATIONS = ("${hydra:", "${fbm.")

Train = Callable[[DictConfig, Run, str], None]  # trains a run with this identity, in the process that calls it


@dataclass(frozen=True)
class WorkerConfig:
    """Sent to the ranks as JSON, also to other machines.

    Attributes:
        train: name of the function, as `pkgutil.resolve_name` takes it.
        config: YAML. Other interpolations than Hydra's are kept: they may differ between machines.
        identity: the run's fingerprint.
        run: its folder is locked by the launcher, not by the ranks.
    """

    train: str
    config: str
    identity: str
    run: Run

    @classmethod
    def create(cls, train: Train, config: DictConfig, run: Run, identity: str) -> "WorkerConfig":
        """The ranks' part of a run; `train` is a function of a module."""
        raw = OmegaConf.to_container(config, resolve=False)
        resolved = OmegaConf.to_container(config, resolve=True)
        text = OmegaConf.to_yaml(OmegaConf.create(_resolve_hydra(raw, resolved)))
        return cls(f"{train.__module__}:{train.__qualname__}", text, identity, run)

    def to_json(self) -> str:
        """For `from_json`, on any machine."""
        summary = self.run.summary.to_dict() if self.run.summary is not None else None
        values = {**asdict(self), "run": {**asdict(self.run), "summary": summary}}
        return json.dumps(values, default=str)  # str: of paths

    @classmethod
    def from_json(cls, text: str, is_main_process: bool) -> "WorkerConfig":
        """For one rank; `is_main_process` is True for rank 0 alone."""
        values = json.loads(text)
        run = values.pop("run")
        paths = {key: Path(run[key]) for key in ("folder", "start_from") if run[key] is not None}
        summary = RunSummary.from_dict(run["summary"]) if run["summary"] is not None else None
        return cls(**values, run=Run(**{**run, **paths, "summary": summary, "is_main_process": is_main_process}))


def _resolve_hydra(raw: Any, resolved: Any) -> Any:
    if isinstance(raw, dict):
        return {key: _resolve_hydra(value, resolved[key]) for key, value in raw.items()}
    if isinstance(raw, list):
        return [_resolve_hydra(value, other) for value, other in zip(raw, resolved, strict=True)]
    return resolved if isinstance(raw, str) and any(sign in raw for sign in HYDRA_INTERPOLATIONS) else raw
