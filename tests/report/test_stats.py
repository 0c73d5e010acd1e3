import math

import pytest

from fbm.report.stats import estimate, seeds_needed


def test_mean_and_interval_by_hand():
    # 50, 52, 54: mean 52, deviation 2, t(0.975, 2) = 4.30265, half width 4.30265 * 2 / sqrt(3) = 4.96827
    found = estimate([0.50, 0.52, 0.54])
    assert found
    assert found.half_width
    assert found.mean == pytest.approx(0.52)
    assert found.half_width == pytest.approx(0.0496827, abs=1e-7)


def test_two_values():
    found = estimate([0.4, 0.6])  # t(0.975, 1) = 12.7062, deviation sqrt(0.02), half width 12.7062 * 0.1
    assert found
    assert found.half_width
    assert math.isclose(found.half_width, 1.27062, rel_tol=1e-5)


def test_one_value_has_no_interval():
    found = estimate([0.5])
    assert found
    assert found.half_width is None
    assert found.overlaps(found) is None


def test_no_value():
    assert estimate([]) is None


def test_overlap():
    low, near, far = estimate([0.50, 0.52]), estimate([0.6, 0.7]), estimate([0.9, 0.9])
    assert low
    assert near
    assert far
    assert low.overlaps(near)
    assert not low.overlaps(far)


@pytest.mark.parametrize(("deviation", "pairs"), [(0.05, 10), (0.0625, 15), (0.1, 34), (0.0, 2), (1.0, None)])
def test_seeds_for_five_points_as_in_tables_of_power(deviation, pairs):
    """Effects of 1, 0.8 and 0.5 deviations need 10, 15 and 34 pairs at 5 % and 80 % (Cohen, 1988)."""
    assert seeds_needed(deviation) == pairs
