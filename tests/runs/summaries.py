"""Summaries of runs that were never trained."""

from typing import Any

from fbm.runs.summary import Fingerprints, RunSummary


def run_summary(identity: str = "a", **values: Any) -> RunSummary:
    """A summary with what every summary has, and `values`."""
    prints = Fingerprints(run=identity, config="c", comparison="cc", data="d")
    return RunSummary(**{"run": "run", "task": "classify", "seed": 0, "metrics": {}, "fingerprints": prints, **values})
