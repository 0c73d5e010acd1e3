import numpy as np
import pytest

from fbm.evaluation.probing.intervals import (
    Resampling,
    accuracy,
    accuracy_difference,
    disentanglement_score,
    group_sums,
)

HOW = Resampling(2000, seed=0)
GROUPS = np.repeat(np.arange(10), 6)
THIRD = [1 / 3] * 3


def table(*cells: float) -> list[np.ndarray]:
    """Nine cells of 60 clips, with the same share right in every group of six."""
    return [np.tile(np.arange(6) < round(6 * cell), 10) for cell in cells]


def test_sums_of_groups():
    right = np.array([True, False, True, True])
    assert group_sums(right, np.array([1, 0, 1, 2])).tolist() == [0, 2, 1]


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
    assert accuracy(table(0.5)[0], GROUPS, HOW) == (0.5, 0.5, 0.5)


def test_the_seed_decides_the_interval():
    right = np.random.default_rng(0).random(60) < 0.4
    same, other = ([accuracy(right, np.arange(60), Resampling(30, seed)) for _ in range(2)] for seed in (0, 1))
    assert same[0] == same[1]
    assert same[0].value == other[0].value
    assert same[0] != other[0]


def test_one_group_says_nothing_of_others():
    assert accuracy(np.array([True, False]), np.zeros(2, int), HOW) == (0.5, 0.0, 1.0)
    assert disentanglement_score([np.ones(2, bool)] * 9, THIRD, np.zeros(2, int), HOW) == (0.0, -1.0, 1.0)


@pytest.mark.parametrize(
    ("cells", "score"),
    [
        ((1, 1 / 3, 1 / 3, 1 / 3, 1, 1 / 3, 1 / 3, 1 / 3, 1), 1.0),
        ((1, 0, 0, 0, 1, 0, 0, 0, 1), 1.0),  # below chance is nothing, not less
        ((1, 1, 1, 1, 1, 1, 1, 1, 1), 0.0),
        ((0, 0, 0, 0, 0, 0, 0, 0, 0), 0.0),
        ((0, 1, 1, 1, 0, 1, 1, 1, 0), -1.0),
        ((2 / 3, 1 / 3, 1 / 3, 1 / 3, 1 / 3, 1 / 3, 1 / 3, 1 / 3, 1 / 3), 1 / 6),
        ((1 / 3, 2 / 3, 1 / 3, 1 / 3, 1 / 3, 1 / 3, 1 / 3, 1 / 3, 1 / 3), -1 / 12),
    ],
)
def test_diagonality_by_hand(cells, score):
    found = disentanglement_score(table(*cells), THIRD, GROUPS, HOW)
    np.testing.assert_allclose(found, [score] * 3, atol=1e-12)  # equal groups: no doubt


def test_each_factor_has_its_own_chance():
    cells = table(1, 1 / 2, 1 / 3, 1, 1, 1, 1, 1, 1)
    above = [1, 0, 0, 1, 1, 1, 1, 1, 1]  # with chances of 1/3, 1/2 and 1/2 in the first row's columns
    score = np.mean([above[0], above[4], above[8]]) - np.mean([above[k] for k in (1, 2, 3, 5, 6, 7)])
    assert disentanglement_score(cells, [1 / 3, 1 / 2, 1 / 2], GROUPS, HOW).value == pytest.approx(score)


def test_a_factor_that_is_always_the_same_is_never_told():
    assert disentanglement_score(table(*[1.0] * 9), [1.0, 1.0, 1.0], GROUPS, HOW).value == 0


def test_all_nine_cells_are_of_the_same_resampled_groups():
    """Cells that are right and wrong together: whatever groups are drawn, their difference is nothing."""
    right = np.random.default_rng(0).random(60) < 0.7
    assert accuracy(right, GROUPS, HOW).high > accuracy(right, GROUPS, HOW).low
    np.testing.assert_allclose(disentanglement_score([right] * 9, THIRD, GROUPS, HOW), 0, atol=1e-12)


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
