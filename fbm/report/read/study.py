"""A study's own list of its runs, `study.json`: what belongs to it, whether done or not."""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from fbm.runs.files import STUDY
from fbm.utils import schema
from fbm.utils.files import damaged, read_validated, shown

REMEDY = "Run `fbm study` again: it rewrites the file."


@dataclass(frozen=True)
class Job:
    """One declared run. `folder` is relative to the study's; `values` is what sets it apart from the others."""

    folder: str
    stage: Literal["pretrain", "classify"]
    label: str
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Study:
    """All runs that a study consists of."""

    name: str
    jobs: tuple[Job, ...]


@dataclass(frozen=True)
class Missing:
    """A run without a summary; `job` is None where no `study.json` declares it."""

    path: Path
    started: bool
    job: Job | None = None

    @property
    def state(self) -> str:
        """Whether the run was started: `unfinished`, or `not started`."""
        return "unfinished" if self.started else "not started"

    def __str__(self) -> str:
        if self.job is None:
            return shown(self.path)
        values = [f"{key}={value}" for key, value in self.job.values.items() if key != "init"]
        return f"{shown(self.path)} ({', '.join([f'{self.job.stage} {self.job.label}'.strip(), *values])})"


def read_study(folder: Path) -> dict[Path, Job] | None:
    """Declared jobs by their resolved folders; None without a `study.json` in `folder`. UserError if it is damaged."""
    file = folder / STUDY
    if not file.exists():
        return None
    study = read_validated(file, partial(schema.from_json, Study), REMEDY)
    if not study.jobs:
        raise damaged(file, "it declares no run", REMEDY)
    jobs: dict[Path, Job] = {}
    for job in study.jobs:  # two initialisations may start from one pretraining run: it is there once
        jobs.setdefault((folder / job.folder).resolve(), job)
    return jobs
