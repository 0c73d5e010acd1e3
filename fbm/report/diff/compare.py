"""What differs between two runs, by groups."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from fbm.config.compose import flatten
from fbm.config.keys import NON_SEMANTIC_KEYS, under
from fbm.report.diff.read import RunSnapshot
from fbm.report.diff.verdict import Comparability, verdict

NOT_RECORDED = "not recorded"


class Absent(Enum):
    """The value of a key that a run does not have; null is a value."""

    ABSENT = "-"


Rows = dict[str, tuple[Any, Any]]


@dataclass(frozen=True)
class RunDiff:
    """Two runs side by side.

    Attributes:
        groups: of each group the rows that differ, value of `a` and of `b`; no rows where the group is the same. Only
            `config` and `pretraining` while one of the runs is not finished.
        results: every number of either run, the same ones too; no rows where all are the same.
    """

    a: RunSnapshot
    b: RunSnapshot
    groups: dict[str, Rows]
    results: Rows
    verdict: Comparability

    @property
    def unfinished(self) -> list[RunSnapshot]:
        """The runs of which only the config is known."""
        return [side for side in (self.a, self.b) if side.summary is None]


def compare(a: RunSnapshot, b: RunSnapshot, everything: bool = False) -> RunDiff:
    """Hold two runs against each other.

    Args:
        everything: also settings that are only names and places.
    """
    groups = {
        "config": _differing(_settings(a, everything), _settings(b, everything)),
        "pretraining": _differing(_pretraining(a), _pretraining(b)),
    }
    results: Rows = {}
    if a.summary is not None and b.summary is not None:
        groups |= {
            "data": _differing(_data(a.summary), _data(b.summary)),
            "code": _code(a, b),
            "packages": _packages(a, b),
            "hardware": _differing(a.summary.get("hardware") or {}, b.summary.get("hardware") or {}),
        }
        results = _results(a.summary, b.summary)
    return RunDiff(a, b, groups, results, verdict(a, b, groups))


def _differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> Rows:
    rows = _beside(a, b)
    return {key: pair for key, pair in rows.items() if pair[0] != pair[1]}


def _beside(a: Mapping[str, Any], b: Mapping[str, Any]) -> Rows:
    return {key: (a.get(key, Absent.ABSENT), b.get(key, Absent.ABSENT)) for key in sorted({*a, *b})}


def _settings(side: RunSnapshot, everything: bool) -> dict[str, Any]:
    """The config with dotted keys; paths inside the run folder are the same for every run."""
    settings = flatten(side.config)
    if everything:
        return settings
    here = str(side.config.get("run_dir") or side.folder)
    return {key: _placeless(value, here) for key, value in settings.items() if not under(key, NON_SEMANTIC_KEYS)}


def _placeless(value: Any, here: str) -> Any:
    inside = isinstance(value, str) and (value == here or value.startswith(f"{here}/"))
    return f"RUN{value[len(here) :]}" if inside else value


def _pretraining(side: RunSnapshot) -> dict[str, Any]:
    """The run that the encoder's weights are from; of an older or unfinished run what its config says."""
    recorded = (side.summary or {}).get("pretraining")
    if isinstance(recorded, dict):
        return recorded
    checkpoint = flatten(side.config).get("init.checkpoint")
    return {"folder": checkpoint} if checkpoint is not None else {}


def _data(summary: Mapping[str, Any]) -> dict[str, Any]:
    named = {"name": summary.get("data"), "fingerprint": (summary.get("fingerprints") or {}).get("data")}
    return {**named, **{f"{split} clips": count for split, count in (summary.get("samples") or {}).items()}}


def _code(a: RunSnapshot, b: RunSnapshot) -> Rows:
    one, other = (_commit(side) for side in (a, b))
    rows = _differing(one, other)
    if one["changes"] == other["changes"] == NOT_RECORDED:  # there are some in both, and they may differ
        rows["changes"] = (NOT_RECORDED, NOT_RECORDED)
    return rows


def _commit(side: RunSnapshot) -> dict[str, Any]:
    """`changes` is the fingerprint of what was not committed."""
    summary = side.summary or {}
    git = summary.get("git") or {"commit": "no checkout", "dirty": False}
    changes = (side.patch or NOT_RECORDED) if git.get("dirty") else "none"
    return {"fbm": summary.get("fbm"), "commit": git.get("commit"), "changes": changes}


def _packages(a: RunSnapshot, b: RunSnapshot) -> Rows:
    """The lock, Python, and every package; of older runs those that the summary names."""
    one, other = a.summary or {}, b.summary or {}
    rows = _differing({"lock": one.get("lock")}, {"lock": other.get("lock")})
    versions = [dict(summary.get("versions") or {}) for summary in (one, other)]
    if a.packages and b.packages:
        versions = [
            {**side.packages, "python": known.get("python")} for side, known in zip((a, b), versions, strict=True)
        ]
    return rows | _differing(*versions)


def _results(a: Mapping[str, Any], b: Mapping[str, Any]) -> Rows:
    rows = _beside(_numbers(a), _numbers(b))
    return {} if all(_same(*pair) for pair in rows.values()) else rows


def _same(one: Any, other: Any) -> bool:
    """Whether two numbers are equal, or both nan: a measure of foregrounds where no frame has any."""
    return bool(one == other) or (one != one and other != other)


def _numbers(summary: Mapping[str, Any]) -> dict[str, Any]:
    more = {key: summary[key] for key in ("best_epoch", "epochs", "seconds") if key in summary}
    return {**(summary.get("metrics") or {}), **more}
