"""Intervals of a run's test accuracies over test groups: clips of one group are near copies."""

from collections.abc import Mapping

import numpy as np

from fbm.data.clips import ClipDataset
from fbm.evaluation.probing.factors import groups, video_groups
from fbm.evaluation.probing.intervals import Resampling, accuracy
from fbm.evaluation.probing.settings import RESAMPLES

HOW = Resampling(RESAMPLES, seed=0)


def group_intervals(outcomes: Mapping[str, Mapping[int, bool]], clips: ClipDataset) -> dict[str, tuple[float, float]]:
    """The ends of each test accuracy's 95 % interval (`HOW`), shares in 0..1.

    Args:
        outcomes: of `Task.test_outcomes`.
        clips: that were tested.
    """
    ends = {}
    for name, right in outcomes.items():
        of_all = video_groups(clips) if name.startswith("test/video") else groups(clips)
        found = accuracy(np.array([*right.values()]), of_all[[*right]], HOW)
        ends[name] = (found.low, found.high)
    return ends
