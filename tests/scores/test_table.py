"""Every score against values worked out by hand, on tables that are disentangled, mixed, swapped and empty."""

import numpy as np
import pytest

from fbm import scores

APART = np.eye(3)
SWAPPED = np.eye(3)[[1, 2, 0]]
MIXED = np.full((3, 3), 0.5)
EMPTY = np.zeros((3, 3))
SAME = np.array([[0.6, 0, 0]] * 3)  # every part holds the first factor, and nothing else
# Of docs/studies.md's demo, rounded: all parts hold motion.
DEMO = scores.above_chance([[0.43, 0.29, 0.30], [0.38, 0.27, 0.33], [0.38, 0.25, 0.29]], [0.17, 0.19, 0.29])

OF_TABLE = {
    #                          APART SWAPPED MIXED EMPTY SAME
    scores.disentanglement: (1, 1, 0, 0, 1),
    scores.completeness: (1, 1, 0, 0, 0),
    scores.gap: (1, 1, 0, 0, 0),
    scores.modularity: (1, 1, 0, 0, 1),
    scores.diagonality: (1, -0.5, 0, 0, 0),
    scores.leakage: (0, np.nan, 1, np.nan, 1),
}


@pytest.mark.parametrize(("score", "wanted"), OF_TABLE.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_extremes(score, wanted):
    tables = np.stack([APART, SWAPPED, MIXED, EMPTY, SAME])
    np.testing.assert_allclose(score(tables), wanted, atol=1e-12)
    np.testing.assert_allclose([score(table) for table in tables], wanted, atol=1e-12)  # one by one as together


def test_modularity_alone_would_call_the_demo_disentangled():
    """The parts hold the same: no gap, no diagonal, little completeness, and yet a modularity of 0.93."""
    found = [float(score(DEMO)) for score in (scores.modularity, scores.disentanglement, scores.completeness)]
    assert found == pytest.approx([0.93, 0.33, 0.04], abs=0.01)
    assert float(scores.gap(DEMO)) == pytest.approx(0.04, abs=0.01)
    assert float(scores.diagonality(DEMO)) == pytest.approx(0.0, abs=0.05)


def test_above_chance_by_hand():
    found = scores.above_chance([[1.0, 0.5], [0.25, 0.1]], [0.25, 0.5])
    np.testing.assert_allclose(found, [[1, 0], [0, 0]])
    assert scores.above_chance(0.6, 0.2) == pytest.approx(0.5)


def test_informativeness_is_the_mean_over_factors():
    np.testing.assert_allclose(scores.informativeness(np.array([[0.2, 0.4, 0.9], [0, 0, 0]])), [0.5, 0.0])


def test_disentanglement_by_hand():
    """Rows of (1/2, 1/2, 0) and (1, 0, 0) and nothing; the second weighs half of the first."""
    table = np.array([[0.4, 0.4, 0], [0.4, 0, 0], [0, 0, 0]])
    halves = 1 - np.log(2) / np.log(3)
    np.testing.assert_allclose(scores.disentanglement_of_parts(table), [halves, 1.0, 0.0])
    assert float(scores.disentanglement(table)) == pytest.approx((0.8 * halves + 0.4) / 1.2)
    # Its columns are (1/2, 1/2, 0), (1, 0, 0) and nothing.
    np.testing.assert_allclose(scores.completeness_of_factors(table), [halves, 1.0, 0.0])
    assert float(scores.completeness(table)) == pytest.approx((0.8 * halves + 0.4) / 1.2)


def test_more_parts_than_factors():
    table = np.array([[1, 0], [0, 1], [0, 0.5]])
    assert float(scores.disentanglement(table)) == pytest.approx(1)
    thirds = np.array([2, 1]) / 3
    second = 1 + (thirds * np.log(thirds)).sum() / np.log(3)
    assert float(scores.completeness(table)) == pytest.approx((1 + 1.5 * second) / 2.5)
    assert float(scores.gap(table)) == pytest.approx((1 + 0.5) / 2)


def test_modularity_by_hand():
    """1 - (0.09 + 0.04) / (2 * 0.25), nothing, and 1."""
    assert float(scores.modularity(np.array([[0.3, 0.5, 0.2], [0, 0, 0], [0, 0, 0.1]]))) == pytest.approx(
        (0.74 + 0 + 1) / 3
    )


def test_diagonality_and_leakage_by_hand():
    table = [[0.8, 0.1], [0.3, 0.2]]
    assert float(scores.diagonality(table)) == pytest.approx(0.5 - 0.2)
    assert float(scores.leakage(table)) == pytest.approx(0.2 / 0.5)


def test_order_of_parts_matters_to_those_alone_that_know_the_right_one():
    table = np.random.default_rng(0).random((3, 3))
    for score in OF_TABLE:
        same = bool(np.isclose(score(table), score(table[[1, 2, 0]])))
        assert same is (score not in (scores.diagonality, scores.leakage)), score.__name__


def test_bounds_on_noise():
    tables = np.random.default_rng(0).random((500, 3, 4))
    for score in (scores.disentanglement, scores.completeness, scores.gap, scores.modularity):
        found = score(tables)
        assert found.shape == (500,)
        assert found.min() >= 0
        assert found.max() <= 1
    assert np.abs(scores.diagonality(tables[..., :3])).max() <= 1
    assert scores.leakage(tables[..., :3]).min() >= 0


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: scores.above_chance([[0.5, 0.5]], [0.5, 1.0]), "below 1"),
        (lambda: scores.above_chance([[0.5, 0.5]], [-0.1, 0.5]), "at least 0"),
        (lambda: scores.above_chance([[0.5, np.nan]], [0.5, 0.5]), "finite"),
        (lambda: scores.above_chance([[0.5, 0.5]], [0.1, np.nan]), "finite"),
        (lambda: scores.above_chance([[50, 20]], [0.1, 0.1]), r"shares in 0\.\.1"),
        (lambda: scores.above_chance([[0.5, 0.5]], [0.1, 0.1, 0.1]), "does not fit"),
        (lambda: scores.above_chance([0.5, 0.5], [[0.1, 0.1], [0.2, 0.2]]), "does not fit"),
        (lambda: scores.above_chance(["a", "b"], 0.1), "array of numbers"),
        (lambda: scores.disentanglement([0.1, 0.2, 0.3]), "parts factors"),
        (lambda: scores.completeness([[0.1, 0.2]]), "two parts"),
        (lambda: scores.modularity([[0.1], [0.2]]), "two factors"),
        (lambda: scores.gap([[0.1, 0.2], [0.3]]), "array of numbers"),
        (lambda: scores.gap([[0.1, -0.2], [0.3, 0.1]]), r"shares in 0\.\.1"),
        (lambda: scores.diagonality([[0.1, 0.2, 0.1], [0.3, 0.1, 0.1]]), "as many parts as factors"),
        (lambda: scores.leakage(np.full((3, 3), np.nan)), "9 of 9 are not"),
        (lambda: scores.informativeness(0.5), "not one number"),
        (lambda: scores.informativeness([]), "empty"),
    ],
)
def test_bad_input_is_one_line(call, reason):
    with pytest.raises(ValueError, match=reason) as caught:
        call()
    assert "\n" not in str(caught.value)
