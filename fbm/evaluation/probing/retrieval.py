"""Video retrieval, R@k: the field's test of frozen features without any training (as in OPN, VCOP and later work)."""

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from fbm.data.clips import ClipDataset
from fbm.evaluation.probing.factors import groups
from fbm.evaluation.probing.features import labels_of
from fbm.evaluation.probing.intervals import Resampling, accuracy
from fbm.runs.probes import Retrieval

RANKS = (1, 5, 10, 20, 50)


def retrieval(maps: Mapping[str, Tensor], clips: Mapping[str, ClipDataset], resampling: Resampling) -> list[Retrieval]:
    """R@k of test videos in training videos, by the cosine similarity of their pooled features.

    A k larger than the number of training videos is left out. Intervals are over test groups.

    Args:
        maps: features `N C h w` of every clip of the splits train and test; their clips have labels.
    """
    known, known_first = pooled(maps["train"], clips["train"])
    asked, asked_first = pooled(maps["test"], clips["test"])
    labels, answers = labels_of(clips["train"], known_first), labels_of(clips["test"], asked_first)
    right = hits(known, labels, asked, answers)
    test_groups = groups(clips["test"])[asked_first]
    made = []
    for k in (k for k in RANKS if k <= len(known)):
        found = accuracy(right[:, k - 1], test_groups, resampling)
        made.append(Retrieval(k, found.value, found.low, found.high, len(known), len(asked)))
    return made


def pooled(maps: Tensor, clips: ClipDataset) -> tuple[np.ndarray, list[int]]:
    """One feature a video, `V C` float: the mean over its clips and over space (the encoder has pooled time).

    The second value is the number of each video's first clip.
    """
    numbers = np.array([number for number, _ in clips.samples])
    _, first, place, count = np.unique(numbers, return_index=True, return_inverse=True, return_counts=True)
    sums = np.zeros((len(first), maps.shape[1]))
    np.add.at(sums, place, maps.mean((2, 3)).numpy())
    return sums / count[:, None], first.tolist()


def hits(known: np.ndarray, labels: np.ndarray, asked: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Whether any of the k nearest of `known` has the right label: `V K` bool, in column k - 1.

    Args:
        known, labels: features `W C` of training videos and their classes `W`.
        asked, answers: features `V C` of test videos and their classes `V`.
    """
    from sklearn.neighbors import NearestNeighbors

    most = min(max(RANKS), len(known))
    nearest = NearestNeighbors(n_neighbors=most, metric="cosine").fit(known).kneighbors(asked, return_distance=False)
    right: np.ndarray = np.logical_or.accumulate(labels[nearest] == answers[:, None], axis=1)
    return right
