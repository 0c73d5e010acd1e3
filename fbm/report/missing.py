"""Which seeds a row lacks."""

from collections.abc import Mapping
from typing import Any

from fbm.report.groups import Group
from fbm.report.read.runs import RunSet
from fbm.report.read.study import Missing


def missing_seeds(group: Group, found: RunSet) -> tuple[int, ...]:
    """Seeds that the row's study declares and that are not finished; without a study, seeds that other rows have."""
    declared = [run.declared for run in group if run.declared]
    if declared:
        mine = [_setting(values) for values in declared]
        return tuple(sorted({job.values["seed"] for job in _seeded(found) if _setting(job.values) in mine}))
    seeds = {run.summary.seed for run in found.of("classify")}
    return tuple(sorted(seeds - {run.summary.seed for run in group}))


def _seeded(found: RunSet) -> list[Missing]:
    return [job for job in found.missing if job.stage == "classify" and isinstance(job.values.get("seed"), int)]


def _setting(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != "seed"}
