"""Differences between two runs, in groups: config, pretraining, data, code, packages, hardware, results."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

from fbm.config.keys import NON_SEMANTIC_KEYS, flatten, under
from fbm.config.renamed import NOW, with_targets
from fbm.report.diff.read import RunSnapshot
from fbm.report.diff.verdict import Comparability, verdict
from fbm.runs.summary import RunSummary

NOT_RECORDED = "not recorded"


class Absent(Enum):
    """The value of a key that a run does not have; null is a value."""

    ABSENT = "-"


Rows = dict[str, tuple[Any, Any]]


@dataclass(frozen=True)
class RunDiff:
    """Two runs side by side.

    Attributes:
        groups: for each group the rows that differ, value of `a` and of `b`; no rows if the group is the same. Only
            `config` and `pretraining` while one of the runs is not finished.
        results: every number of either run, equal ones too; no rows if all are equal.
    """

    a: RunSnapshot
    b: RunSnapshot
    groups: dict[str, Rows]
    results: Rows
    verdict: Comparability

    @property
    def unfinished(self) -> list[RunSnapshot]:
        """The runs of which only the config is known."""
        return [run for run in (self.a, self.b) if run.summary is None]


def compare(a: RunSnapshot, b: RunSnapshot, everything: bool = False) -> RunDiff:
    """Compare two runs.

    Args:
        everything: also settings that are only names and paths.
    """
    groups = {
        "config": _differing(_settings(a, everything), _settings(b, everything)),
        "pretraining": _differing(_pretraining(a), _pretraining(b)),
    }
    results: Rows = {}
    if a.summary and b.summary:
        groups["data"] = _differing(_data(a.summary), _data(b.summary))
        groups["code"] = _code(_commit(a, a.summary), _commit(b, b.summary))
        groups["packages"] = _packages(a, a.summary, b, b.summary)
        groups["hardware"] = _differing(a.summary.hardware, b.summary.hardware)
        results = _paired(_numbers(a.summary), _numbers(b.summary))
        if all(_equal(*pair) for pair in results.values()):
            results = {}
    return RunDiff(a, b, groups, results, verdict(a, b, groups))


def _paired(a: Mapping[str, Any], b: Mapping[str, Any]) -> Rows:
    return {key: (a.get(key, Absent.ABSENT), b.get(key, Absent.ABSENT)) for key in sorted({*a, *b})}


def _differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> Rows:
    return {key: pair for key, pair in _paired(a, b).items() if pair[0] != pair[1]}


def _settings(run: RunSnapshot, everything: bool) -> dict[str, Any]:
    """The config with dotted keys; paths inside the run folder begin with RUN, so that they are equal in all runs."""
    settings = flatten(run.config)
    if everything:
        return settings
    settings = with_targets(settings, NOW)
    folder = str(run.config.get("run_dir") or run.folder)
    for key, value in settings.items():
        if isinstance(value, str) and (value == folder or value.startswith(f"{folder}/")):
            settings[key] = f"RUN{value.removeprefix(folder)}"
    return {key: value for key, value in settings.items() if not under(key, NON_SEMANTIC_KEYS)}


def _pretraining(run: RunSnapshot) -> dict[str, Any]:
    """The run that the encoder's weights are from; for an older or unfinished run, what its config says."""
    if run.summary and run.summary.pretraining:
        return asdict(run.summary.pretraining)
    checkpoint = flatten(run.config).get("init.checkpoint")
    return {} if checkpoint is None else {"folder": checkpoint}


def _data(summary: RunSummary) -> dict[str, Any]:
    clips = {f"{split} clips": count for split, count in summary.samples.items()}
    return {"name": summary.data, "fingerprint": summary.fingerprints.data, **clips}


def _commit(run: RunSnapshot, summary: RunSummary) -> dict[str, Any]:
    """`changes` is the fingerprint of what was not committed."""
    git = summary.git or {"commit": "no checkout", "dirty": False}
    changes = (run.patch or NOT_RECORDED) if git.get("dirty") else "none"
    return {"fbm": summary.fbm, "commit": git.get("commit"), "changes": changes}


def _code(a: dict[str, Any], b: dict[str, Any]) -> Rows:
    rows = _differing(a, b)
    if a["changes"] == b["changes"] == NOT_RECORDED:  # both have uncommitted changes, which may differ
        rows["changes"] = (NOT_RECORDED, NOT_RECORDED)
    return rows


def _packages(a: RunSnapshot, of_a: RunSummary, b: RunSnapshot, of_b: RunSummary) -> Rows:
    """The lock, Python, and every package; for older runs the packages that the summary names."""
    rows = _differing({"lock": of_a.lock}, {"lock": of_b.lock})
    if not (a.packages and b.packages):
        return rows | _differing(of_a.versions, of_b.versions)
    python = [{"python": summary.versions.get("python")} for summary in (of_a, of_b)]
    return rows | _differing(a.packages | python[0], b.packages | python[1])


def _numbers(summary: RunSummary) -> dict[str, Any]:
    counts = {"best_epoch": summary.best_epoch, "epochs": summary.epochs, "seconds": summary.seconds}
    return summary.metrics | {name: value for name, value in counts.items() if value is not None}


def _equal(one: Any, other: Any) -> bool:
    """Whether two numbers are equal, or both nan: a foreground metric where no frame has a foreground."""
    return bool(one == other) or (one != one and other != other)
