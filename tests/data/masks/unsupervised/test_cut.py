import numpy as np

from fbm.data.masks.unsupervised.consensus import neighbours_of
from fbm.data.masks.unsupervised.cut import weigh_cuts

GRID = (12, 16)


def object_in_a_wake():
    """An object of its own colour, high votes and evidence; round it a wake of half the votes that looks like all
    else.
    """
    there = np.zeros((4, *GRID), bool)
    there[:, 4:8, 6:10] = True
    wake = np.zeros_like(there)
    wake[:, 3:9, 5:14] = True
    votes = np.where(there, 1.0, np.where(wake, 0.55, 0.05)).reshape(4, -1)
    colours = np.where(there[..., None], (60, 170, 150), (160, 128, 110)).astype(np.float32)
    noise = np.random.default_rng(0).normal(0, 3, colours.shape).astype(np.float32)
    colours = (colours + noise).reshape(4, -1, 3)
    return there.reshape(4, -1), votes, colours


def weighed(power):
    there, votes, colours = object_in_a_wake()
    neighbours = neighbours_of(colours.reshape(-1, 3), 10)
    return there, weigh_cuts(votes, votes, colours, GRID, neighbours, (0.05, 1.0), power)


def test_the_cut_follows_the_object_not_its_wake():
    there, cuts = weighed(4)
    assert cuts.shares[there].min() > 0.9
    assert cuts.shares[~there].max() < 0.2
    assert cuts.kept > 0.9
    assert cuts.contrast > 0.4


def test_power_zero_takes_every_cut_alike():
    there, cuts = weighed(0)
    assert 0.3 < cuts.shares[~there].max() < 0.7


def test_equal_votes_have_no_cut():
    _, votes, colours = object_in_a_wake()
    flat = np.full_like(votes, 0.3)
    cuts = weigh_cuts(flat, flat, colours, GRID, neighbours_of(colours.reshape(-1, 3), 10), (0.3, 0.3), 4)
    assert not cuts.shares.any()
    assert cuts.kept == cuts.contrast == 0
