"""Pretraining runs, grouped as a reader compares them: one group for each task and config, seeds inside."""

from dataclasses import dataclass

from fbm.report.labels import differing_keys, variant
from fbm.report.read.runs import Run, RunSet

# The task whose encoder each of the paper's initialisations starts from.
INIT = {"disentangle": "ours", "autoencode": "autoencoder"}


@dataclass(frozen=True)
class Pretraining:
    """Finished runs of one pretraining task under one config, in the order of their seeds."""

    task: str
    label: str
    runs: tuple[Run, ...]

    @property
    def first(self) -> Run:
        """The run with the lowest seed: its pictures stand for the group, to keep the page small."""
        return self.runs[0]

    @property
    def monitor(self) -> str:
        """The metric by which the runs' best checkpoints were chosen."""
        return self.first.summary.monitor

    @property
    def init(self) -> str:
        """The initialisation that starts from this task, for its colour; the task itself if it is not the paper's."""
        return INIT.get(self.task, self.task)


def pretrainings(found: RunSet) -> list[Pretraining]:
    """Groups of every task but classification, the paper's two first."""
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in sorted(found.runs, key=_order):
        if run.summary.task != "classify":
            groups.setdefault((run.summary.task, run.summary.fingerprints.config), []).append(run)
    return [Pretraining(task, _label(task, config, groups), tuple(runs)) for (task, config), runs in groups.items()]


def _order(run: Run) -> tuple[int, str, int, str]:
    known = list(INIT)
    task = run.summary.task
    return known.index(task) if task in known else len(known), task, run.summary.seed, run.path.as_posix()


def _label(task: str, config: str, groups: dict[tuple[str, str], list[Run]]) -> str:
    rivals = [runs for (other, _), runs in groups.items() if other == task]
    if len(rivals) == 1:
        return task
    keys = differing_keys([[run.config for run in runs] for runs in rivals])
    return f"{task} ({variant(groups[task, config][0].config, keys, config)})"
