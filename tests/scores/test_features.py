"""Similarity and information of made features, against closed forms."""

from collections.abc import Callable

import numpy as np
import pytest

from fbm import scores

RNG = np.random.default_rng(0)
NOISE = RNG.normal(size=(400, 3, 5))
ONE, OTHER, THIRD = NOISE[:, 0], NOISE[:, 1], NOISE[:, 2]
TURN = np.linalg.qr(RNG.normal(size=(5, 5)))[0]


def test_cka_by_its_definition():
    x, y = ONE[:40] + 3, np.hstack([ONE[:40, :2], OTHER[:40]])
    a, b = x - x.mean(0), y - y.mean(0)
    expected = np.linalg.norm(b.T @ a) ** 2 / (np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b))
    assert float(scores.linear_cka(x, y)) == pytest.approx(expected)
    assert 0.1 < expected < 0.9


def test_cka_of_the_same_and_of_the_unrelated():
    assert float(scores.linear_cka(ONE, 7 * ONE @ TURN - 4)) == pytest.approx(1)
    assert float(scores.linear_cka(ONE, OTHER)) < 0.05
    assert float(scores.linear_cka(ONE, np.full((400, 2), 1e6))) == 0


def test_cka_of_one_dimension_is_the_squared_correlation():
    x, y = ONE[:, :1], 0.6 * ONE[:, :1] + OTHER[:, :1]
    assert float(scores.linear_cka(x, y)) == pytest.approx(np.corrcoef(x[:, 0], y[:, 0])[0, 1] ** 2)


def repeated(weights: np.ndarray, *features: np.ndarray) -> list[np.ndarray]:
    return [np.repeat(one, weights, axis=0) for one in features]


def test_weights_are_repetitions():
    weights = np.random.default_rng(1).integers(0, 4, (3, 40))
    x, y, z = ONE[:40] + 2, 0.5 * ONE[:40] + OTHER[:40], THIRD[:40]
    labels = np.arange(40) % 3
    logs = np.log(np.random.default_rng(2).uniform(0.3, 1, 40))
    cases: list[tuple[Callable[..., np.ndarray], tuple[np.ndarray, ...]]] = [
        (scores.linear_cka, (x, y)),
        (scores.gaussian_information, (x, y)),
        (scores.dynamic_share, (x, z, y)),
        (scores.usable_information, (logs, labels)),
    ]
    for score, given in cases:
        np.testing.assert_allclose(score(*given, weights), [float(score(*repeated(one, *given))) for one in weights])
        assert float(score(*given)) == pytest.approx(float(score(*given, np.full(40, 2))))


def test_usable_information_by_hand():
    """Two equal labels: certainty shows all, even odds nothing, 3 to 1 the difference of 0.56 from 1 bit... in nats."""
    labels = ["a", "b"] * 4
    assert float(scores.usable_information(np.zeros(8), labels)) == 1
    assert float(scores.usable_information(np.full(8, np.log(0.5)), labels)) == pytest.approx(0)
    assert float(scores.usable_information(np.full(8, np.log(0.1)), labels)) == 0  # worse than nothing is nothing
    shown = 1 - np.log(4 / 3) / np.log(2)
    assert float(scores.usable_information(np.full(8, np.log(0.75)), labels)) == pytest.approx(shown)


def test_information_left_without_a_second_label_is_none():
    assert scores.usable_information(np.zeros(3), [0, 0, 1], [[1, 1, 0], [1, 1, 1]]).tolist() == [0, 1]


def test_gaussian_information_is_that_of_the_correlation():
    x, y = ONE[:, :1], 0.8 * ONE[:, :1] + 0.6 * OTHER[:, :1]
    r = np.corrcoef(x[:, 0], y[:, 0])[0, 1]
    assert float(scores.gaussian_information(x, y)) == pytest.approx(-0.5 * np.log(1 - r**2))
    # Mean over dimensions; the opposite and the constant share nothing, the same as much as 0.999 does.
    both = scores.gaussian_information(np.hstack([x, x, x, x]), np.hstack([y, -x, np.ones_like(x), x]))
    most = -0.5 * np.log(1 - 0.999**2)
    assert float(both) == pytest.approx((-0.5 * np.log(1 - r**2) + most) / 4)


def test_dynamic_share_of_parts():
    assert float(scores.dynamic_share(ONE, -ONE, ONE)) == 1
    assert float(scores.dynamic_share(ONE, ONE, -ONE)) == 0
    assert float(scores.dynamic_share(ONE, ONE, ONE)) == 0.5
    assert np.isnan(scores.dynamic_share(ONE, -ONE, -ONE))
    assert float(scores.dynamic_share(ONE, OTHER, ONE)) > 0.98


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: scores.linear_cka(ONE, OTHER[:-1]), "the same clips"),
        (lambda: scores.linear_cka(ONE[0], OTHER[0]), "`N D`"),
        (lambda: scores.linear_cka(ONE[:1], OTHER[:1]), "two clips"),
        (lambda: scores.linear_cka(ONE * np.nan, OTHER), "2000 of 2000"),
        (lambda: scores.linear_cka(ONE, OTHER, np.ones(3)), "N = 400"),
        (lambda: scores.linear_cka(ONE, OTHER, -np.ones(400)), "at least 0"),
        (lambda: scores.linear_cka(ONE, OTHER, np.zeros(400)), "not all 0"),
        (lambda: scores.gaussian_information(ONE, OTHER[:, :2]), "dimensions"),
        (lambda: scores.dynamic_share(ONE, OTHER, THIRD[:3]), "dimensions"),
        (lambda: scores.usable_information([-1, -1], ["a", "a"]), "two labels"),
        (lambda: scores.usable_information([-1, -1], ["a", "b", "c"]), "two labels"),
        (lambda: scores.usable_information([-np.inf, -1], ["a", "b"]), "finite"),
        (lambda: scores.usable_information([0.5, -1], ["a", "b"]), "at most 0"),
    ],
)
def test_bad_input_is_one_line(call, reason):
    with pytest.raises(ValueError, match=reason) as caught:
        call()
    assert "\n" not in str(caught.value)
