"""Pretraining runs, grouped as a reader compares them: one group for each task and config, seeds inside."""

from collections.abc import Mapping, Sequence
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
    known = {task: at for at, task in enumerate(INIT)}
    by_task: dict[str, dict[str, list[Run]]] = {}
    for run in sorted(found.runs, key=lambda run: (run.summary.seed, run.path.as_posix())):
        if run.summary.task != "classify":
            by_task.setdefault(run.summary.task, {}).setdefault(run.summary.fingerprints.config, []).append(run)
    made = []
    for task, groups in sorted(by_task.items(), key=lambda item: (known.get(item[0], len(known)), item[0])):
        apart = _apart(groups) if len(groups) > 1 else {}
        made += [
            Pretraining(task, f"{task} ({apart[config]})" if apart else task, tuple(runs))
            for config, runs in groups.items()
        ]
    return made


def _apart(groups: Mapping[str, Sequence[Run]]) -> dict[str, str]:
    """What sets each config's runs apart: a study's names for them, or the settings in which they differ."""
    named = {config: {run.label for run in runs} for config, runs in groups.items()}
    if all(len(names) == 1 and "" not in names for names in named.values()):
        labels = {config: min(names) for config, names in named.items()}
        if len(set(labels.values())) == len(labels):
            return labels
    keys = differing_keys([[run.settings for run in runs] for runs in groups.values()])
    return {config: variant(runs[0].settings, keys, config) for config, runs in groups.items()}
