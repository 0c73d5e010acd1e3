import numpy as np
import pytest

from fbm.evaluation.probing.intervals import Resampling, accuracy, accuracy_difference, intervals, shares

HOW = Resampling(2000, seed=0)
GROUPS = np.repeat(np.arange(10), 6)


def test_weighted_shares():
    right = np.array([[True, False, True], [False, False, True]])
    assert shares(right, np.array([[1, 1, 1], [0, 3, 1]])).tolist() == [[2 / 3, 1 / 4], [1 / 3, 1 / 4]]


def test_accuracy_is_the_share_of_clips_not_the_mean_over_groups():
    right, groups = np.array([True, True, True, False]), np.array([0, 0, 0, 1])
    assert accuracy(right, groups, HOW).value == 0.75


def test_clips_of_a_group_are_no_independent_answers():
    """Ten groups, half of them wholly right: as uncertain as ten answers, not sixty."""
    right = GROUPS % 2 == 0
    found = accuracy(right, GROUPS, HOW)
    alone = accuracy(right, np.arange(60), HOW)
    assert found.value == alone.value == 0.5
    assert found.low == pytest.approx(0.2)  # of ten coins
    assert found.high == pytest.approx(0.8)
    assert alone.high - alone.low == pytest.approx(0.25, abs=0.03)


def test_equal_groups_leave_no_doubt():
    assert accuracy(np.arange(60) % 2 == 0, GROUPS, HOW) == (0.5, 0.5, 0.5)


def test_the_seed_decides_the_interval():
    right = np.random.default_rng(0).random(60) < 0.4
    same, other = ([accuracy(right, np.arange(60), Resampling(30, seed)) for _ in range(2)] for seed in (0, 1))
    assert same[0] == same[1]
    assert same[0].value == other[0].value
    assert same[0] != other[0]


def test_one_group_says_nothing_of_others():
    assert accuracy(np.array([True, False]), np.zeros(2, int), HOW) == (0.5, 0.0, 1.0)


def test_all_statistics_are_of_the_same_resampled_groups():
    """Cells that are right and wrong together: whatever groups are drawn, their difference is nothing."""
    right = np.random.default_rng(0).random(60) < 0.7

    def statistic(weights: np.ndarray) -> np.ndarray:
        one, other = shares(np.stack([right, right]), weights)
        return np.stack([one, one - other])

    share, difference = intervals(statistic, GROUPS, [(0, 1), (-1, 1)], HOW)
    assert share == accuracy(right, GROUPS, HOW)
    assert share
    assert share.low < share.value < share.high
    assert difference == (0, 0, 0)


def test_a_resampling_takes_whole_groups_as_often_as_there_are_groups():
    seen: list[np.ndarray] = []

    def statistic(weights: np.ndarray) -> np.ndarray:
        seen.append(weights)
        return weights[:, 0][None]

    intervals(statistic, np.array([0, 1, 1, 2]), [(0, 3)], Resampling(50, 0))
    drawn = np.concatenate(seen[1:])
    assert drawn.shape == (50, 4)
    assert (drawn[:, 1] == drawn[:, 2]).all()
    assert (drawn[:, [0, 1, 3]].sum(1) == 3).all()
    assert seen[0].tolist() == [[1, 1, 1, 1]]


def test_what_is_not_defined_has_no_interval_and_leaves_its_resamplings_out():
    def statistic(weights: np.ndarray) -> np.ndarray:
        some = np.where(weights[:, 0] > 0, 0.5, np.nan)
        return np.stack([some, np.full(len(weights), np.nan)])

    assert intervals(statistic, np.arange(5), [(0, 1), (0, 1)], HOW) == [(0.5, 0.5, 0.5), None]


def test_one_group_leaves_the_bounds_or_nothing():
    found = intervals(lambda weights: np.full((2, len(weights)), 0.5), np.zeros(3, int), [(0, 1), (0, np.inf)], HOW)
    assert found == [(0.5, 0, 1), None]


def test_it_says_how_it_was_made():
    assert str(HOW) == "95 % percentile bootstrap over test groups, 2000 resamples"


def test_a_difference_on_the_same_clips_is_surer_than_two_accuracies():
    """One version is right wherever the other is, and in one clip of six besides: no doubt about the difference."""
    other = np.tile(np.arange(6) < 3, 10)
    better = np.tile(np.arange(6) < 4, 10)
    assert accuracy_difference(better, other, GROUPS, HOW) == pytest.approx((1 / 6, 1 / 6, 1 / 6))
    assert accuracy_difference(other, better, GROUPS, HOW).value == pytest.approx(-1 / 6)


def test_groups_need_not_be_numbered_from_zero():
    right = np.array([True, False, True, True])
    assert accuracy(right, np.array([9, 5, 9, 7]), HOW) == accuracy(right, np.array([2, 0, 2, 1]), HOW)
