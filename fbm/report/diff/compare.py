"""Differences between two runs, and whether these may be averaged or compared."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

from fbm.config.keys import under
from fbm.report.diff.facts import NOT_RECORDED, RunSnapshot, facts
from fbm.utils.messages import first_names

NAMED = 3  # settings that the sentence names


class Absent(Enum):
    """The value of a key that a run does not have; null is a value."""

    ABSENT = "-"


Rows = dict[str, tuple[Any, Any]]


@dataclass(frozen=True)
class Comparability:
    """What may be done with two runs, and why, in one sentence."""

    kind: Literal["average", "compare", "neither", "unknown"]
    sentence: str


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
    all_packages = bool(a.packages and b.packages)
    of_a, of_b = (facts(run, everything, all_packages) for run in (a, b))
    rows = {name: _rows(of_a[name], of_b[name]) for name in of_a if name in of_b}
    groups = {name: {key: pair for key, pair in rows[name].items() if pair[0] != pair[1]} for name in rows}
    if rows.get("code", {}).get("changes") == (NOT_RECORDED, NOT_RECORDED):  # both uncommitted, so they may differ
        groups["code"]["changes"] = (NOT_RECORDED, NOT_RECORDED)
    groups.pop("results", None)
    results = rows.get("results", {})
    equal = all(_equal(*pair) for pair in results.values())
    return RunDiff(a, b, groups, {} if equal else results, verdict(a, b, groups))


def _rows(a: Mapping[str, Any], b: Mapping[str, Any]) -> Rows:
    return {key: (a.get(key, Absent.ABSENT), b.get(key, Absent.ABSENT)) for key in sorted({*a, *b})}


def _equal(one: Any, other: Any) -> bool:
    """Whether two numbers are equal, or both nan: a foreground metric where no frame has a foreground."""
    return bool(one == other) or (one != one and other != other)


def verdict(a: RunSnapshot, b: RunSnapshot, groups: Mapping[str, Mapping[str, Any]]) -> Comparability:
    """Judge two runs by the fingerprints in their summaries.

    Args:
        groups: the differences between them, to name what the fingerprints only detect.
    """
    if a.summary is None or b.summary is None:
        unfinished = a.folder if a.summary is None else b.folder
        return Comparability("unknown", f"They can be neither averaged nor compared yet: {unfinished} is not finished.")
    one, other = a.summary, b.summary
    # What no fingerprint covers and yet can change a result.
    changed = [name for name in ("code", "packages", "hardware") if groups.get(name)]
    caution = f"; note that {' and '.join(changed)} differ" if changed else ""
    neither = "The two runs may be neither averaged nor compared"
    if one.fingerprints.data != other.fingerprints.data:
        return Comparability("neither", f"{neither}: their data differ.")
    if one.fingerprints.comparison != other.fingerprints.comparison:
        return Comparability("neither", f"{neither}: {_differing_settings(groups['config'])}.")
    seeds = f"({one.seed} and {other.seed})"
    if one.fingerprints.config != other.fingerprints.config:
        reason = f"only the initialisation differs ({one.init} and {other.init})"
        if one.init == other.init:
            reason = f"only the pretraining of the initialisation ({one.init}) differs"
        reason += f", with the same seed ({one.seed})" if one.seed == other.seed else f", and the seed {seeds}"
        return Comparability("compare", f"The two runs may be compared, not averaged: {reason}{caution}.")
    if one.seed == other.seed:
        reason = f"The two runs are one measurement made twice (seed {one.seed}): there is nothing to average"
        return Comparability("neither", f"{reason}{caution}.")
    return Comparability("average", f"The two runs may be averaged: only the seed differs {seeds}{caution}.")


def _differing_settings(config: Mapping[str, Any]) -> str:
    keys = [key for key in config if not under(key, ("seed", "init"))]
    keys.sort(key=lambda key: under(key, ("callbacks",)))  # callbacks' settings follow from the others
    if not keys:
        return "their fingerprints show that more differs than the seed and the initialisation"
    return f"more differs than the seed and the initialisation ({first_names(keys, NAMED)})"
