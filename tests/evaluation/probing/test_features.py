import numpy as np
import pytest
import torch

from fbm.data.clips import ClipDataset, SampleKey
from fbm.data.store.frame_store import FrameStore
from fbm.evaluation.probing.features import effective_rank, features, labels_of, parts_of
from fbm.models.encoder import C3DEncoder
from fbm.models.layers import to_input
from tests.tiny import make_store


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> FrameStore:
    return FrameStore(make_store(tmp_path_factory.mktemp("features")))


@pytest.fixture(scope="module")
def encoder() -> C3DEncoder:
    torch.manual_seed(0)
    made = C3DEncoder(4, 16, 32)
    with torch.no_grad():  # else evaluation would be like training with means of 0
        for _ in range(3):
            made(torch.randn(4, 3, 16, 32, 32))
    return made


def test_middle_windows_unflipped_even_of_a_split_that_is_augmented(store, encoder):
    augmented, still = (
        ClipDataset(store, "train", 32, 16, seed=0),
        ClipDataset(store, "train", 32, 16, seed=0, random_windows=False),
    )
    found = features(encoder, augmented, range(18))
    frames = torch.stack([still[SampleKey(0, sample)].frames for sample in range(18)])
    with torch.no_grad():
        expected = encoder.eval()(to_input(frames))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert found.shape == (18, 32, 1, 1)
    assert not found.requires_grad
    assert augmented.random


@pytest.mark.parametrize("training", [True, False])
def test_evaluation_mode_for_as_long_as_it_takes(store, encoder, training):
    clips = ClipDataset(store, "val", 32, 16, seed=0)
    encoder.train(training)
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    state = torch.get_rng_state()
    features(encoder, clips, range(6))
    assert encoder.training is training
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())


def test_some_samples_in_their_order_each_told(store, encoder):
    clips, told = ClipDataset(store, "test", 32, 16, seed=0), []
    some = features(encoder, clips, [7, 2, 5], lambda: told.append(1))
    every = features(encoder, clips, range(12))
    torch.testing.assert_close(some, every[[7, 2, 5]], atol=1e-5, rtol=1e-5)
    assert len(told) == 3
    assert labels_of(clips, [7, 2, 5]).tolist() == [1, 0, 1]


def test_parts_are_the_channels_of_the_paper():
    maps = torch.arange(2 * 8.0).view(2, 8, 1, 1).expand(2, 8, 2, 2)
    assert list(parts_of(maps, disentangled=False)) == ["all"]
    parts = parts_of(maps, disentangled=True)
    assert {name: part.shape for name, part in parts.items()} == {
        "all": (2, 32), "motion": (2, 16), "foreground": (2, 8), "background": (2, 8),
    }  # fmt: skip
    assert sorted(set(parts["background"][0])) == [0, 1]
    assert sorted(set(parts["foreground"][0])) == [2, 3]
    assert sorted(set(parts["motion"][1])) == [12, 13, 14, 15]


@pytest.mark.parametrize("directions", [1, 3])
def test_effective_rank_counts_equal_directions(directions):
    spread = np.vstack([np.eye(6)[:directions], -np.eye(6)[:directions]]) * 5 + 3
    assert effective_rank(spread) == pytest.approx(directions)


def test_effective_rank_of_unequal_directions():
    spread = np.diag([3.0, 1.0])
    spread = np.vstack([spread, -spread])
    shares = np.array([0.9, 0.1])
    assert effective_rank(spread) == pytest.approx(np.exp(-(shares * np.log(shares)).sum()))
