import numpy as np

from fbm.data.masks.unsupervised.consensus import consensus
from fbm.data.masks.unsupervised.settings import Settings


def two_kinds():
    rng = np.random.default_rng(0)
    kind = np.arange(200) % 2
    descriptors = (kind[:, None] * 5 + rng.normal(0, 0.1, (200, 12))).astype(np.float32)
    return kind, descriptors, np.clip(0.25 + 0.5 * kind + rng.normal(0, 0.3, 200), 0, 1)


def test_regions_that_look_alike_come_to_agree():
    kind, descriptors, votes = two_kinds()
    agreed = consensus(votes, descriptors, Settings())
    assert agreed[kind == 1].min() > agreed[kind == 0].max()
    assert agreed[kind == 1].std() < votes[kind == 1].std() / 3
    assert agreed.min() >= 0
    assert agreed.max() <= 1


def test_no_rounds_change_nothing():
    _, descriptors, votes = two_kinds()
    assert np.array_equal(consensus(votes, descriptors, Settings(rounds=0)), votes)


def test_few_and_equal_regions_do():
    for count in (1, 2, 5):
        votes = np.linspace(0, 1, count)
        assert np.isfinite(consensus(votes, np.zeros((count, 4), np.float32), Settings())).all()
