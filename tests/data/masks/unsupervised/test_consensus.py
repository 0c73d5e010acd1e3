import numpy as np

from fbm.data.masks.unsupervised.consensus import neighbours_of, vote


def two_kinds():
    rng = np.random.default_rng(0)
    kind = np.arange(200) % 2
    descriptors = (kind[:, None] * 5 + rng.normal(0, 0.1, (200, 12))).astype(np.float32)
    return kind, descriptors, np.clip(0.25 + 0.5 * kind + rng.normal(0, 0.3, 200), 0, 1)


def test_regions_that_look_alike_come_to_agree():
    kind, descriptors, votes = two_kinds()
    agreed = vote(votes, neighbours_of(descriptors, 20), 5)
    assert agreed[kind == 1].min() > agreed[kind == 0].max()
    assert agreed[kind == 1].std() < votes[kind == 1].std() / 3
    assert agreed.min() >= 0
    assert agreed.max() <= 1


def test_no_rounds_change_nothing():
    _, descriptors, votes = two_kinds()
    assert np.array_equal(vote(votes, neighbours_of(descriptors, 20), 0), votes)


def test_few_and_equal_regions_do():
    for count in (2, 5):
        neighbours = neighbours_of(np.zeros((count, 4), np.float32), 20)
        assert np.isfinite(vote(np.linspace(0, 1, count), neighbours, 5)).all()


def test_votes_leave_a_mask_that_parts_what_looks_alike():
    kind, descriptors, _ = two_kinds()
    neighbours = neighbours_of(descriptors, 20)
    assert neighbours.leaving(kind == 1) < 0.01
    assert neighbours.leaving(np.arange(200) < 100) > 0.3
