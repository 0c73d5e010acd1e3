"""`fbm analyse --bias`: does a classifier look at the background, the foreground or the motion?"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fbm.evaluation.probing.settings import Settings

if TYPE_CHECKING:
    from fbm.evaluation.bias.run import MeasuredBias


def analyse_bias(paths: Sequence[Path], settings: Settings | None = None) -> "list[MeasuredBias]":
    """Test every classification run among or in `paths` on versions of its test clips (`fbm.runs.bias.VERSIONS`).

    What was measured before is skipped, version by version. Runs on the same clips are measured together.

    Args:
        paths: finished classification runs, or studies that hold some.

    Raises:
        UserError: a path, a run or its store does not allow it.
    """
    from fbm.evaluation.finished import CLASSIFICATION, finished_runs

    folders = finished_runs(paths, CLASSIFICATION)
    from fbm.evaluation.bias.run import measure_bias
    from fbm.evaluation.trained_run import TrainedRun

    return measure_bias([TrainedRun(folder) for folder in folders], settings or Settings())
