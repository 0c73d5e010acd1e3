import numpy as np
import pytest
import torch

from fbm.data.clips import ClipDataset
from fbm.data.store.frame_store import FrameStore
from fbm.evaluation.probing.intervals import Resampling
from fbm.evaluation.probing.retrieval import hits, pooled, retrieval
from tests.tiny import make_store

HOW = Resampling(200, seed=0)


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> dict[str, ClipDataset]:
    """Two clips of each video: 34 frames hold two chunks of 16."""
    store = FrameStore(make_store(tmp_path_factory.mktemp("retrieval")))
    return {split: ClipDataset(store, split, 16, 16, seed=0, random_windows=False) for split in ("train", "test")}


def test_hits_by_hand():
    """Angles of 0, 30 and 90 degrees; lengths do not count."""
    known = np.array([[1.0, 0.0], [0.866, 0.5], [0.0, 9.0]])
    found = hits(known, np.array([0, 1, 1]), np.array([[5.0, 0.1], [0.0, 1.0]]), np.array([1, 0]))
    assert found.tolist() == [[False, True, True], [False, False, True]]


def test_a_video_has_the_mean_of_its_clips_over_space(clips):
    maps = torch.arange(len(clips["test"]) * 8, dtype=torch.float32).view(-1, 2, 2, 2)
    videos, first = pooled(maps, clips["test"])
    assert first == list(range(0, 24, 2))
    assert videos[0].tolist() == [5.5, 9.5]  # of 0..3 and 8..11, of 4..7 and 12..15
    assert videos.shape == (12, 2)


def test_classes_that_features_hold_are_found_and_noise_is_not(clips):
    def maps(split: str, held: bool) -> torch.Tensor:
        labels = torch.tensor([clips[split].labels[number] for number, _ in clips[split].samples])
        noise = torch.randn(len(labels), 8, 1, 1, generator=torch.Generator().manual_seed(len(labels)))
        return torch.nn.functional.one_hot(labels, 8).float()[..., None, None] if held else noise

    held = retrieval({split: maps(split, True) for split in clips}, clips, HOW)
    noise = retrieval({split: maps(split, False) for split in clips}, clips, HOW)
    assert [one.k for one in held] == [1, 5, 10]  # of 18 training videos
    assert (held[0].recall, held[0].low, held[0].high) == (1, 1, 1)
    assert noise[0].recall < 0.8
    assert (noise[0].train_videos, noise[0].test_videos) == (18, 12)
