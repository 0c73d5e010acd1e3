import math
from dataclasses import asdict

import numpy as np
import pytest
from scipy.stats import permutation_test, ttest_rel

from fbm.report.comparisons import differences
from fbm.report.read.runs import find
from fbm.report.stats import holm, paired_t, sign_flip
from fbm.report.table1 import table1
from tests.report.fake import fake_run, fake_study, labelled

OURS, RANDOM = [0.60, 0.66, 0.63, 0.71, 0.58], [0.50, 0.52, 0.54, 0.55, 0.57]
PAIRS = [ours - random for ours, random in zip(OURS, RANDOM, strict=True)]


def found(path):
    return differences(table1(find([path])))


def test_every_pair_of_initialisations(tmp_path):
    pairs = found(fake_study(tmp_path))
    assert [(one.row.init, one.base.init) for one in pairs] == [
        ("autoencoder", "random"), ("ours", "random"), ("ours", "autoencoder"),
    ]  # fmt: skip
    _, ours, rival = pairs
    assert ours.label == "Pretrained (ours) \u2212 Random initialization"
    assert ours.estimate
    assert ours.estimate.values == pytest.approx((0.10, 0.14, 0.09))
    assert ours.seeds == (0, 1, 2)
    # By hand: mean 11, deviation sqrt(7), t = 11 / sqrt(7 / 3) = 7.2008, two-sided p with 2 degrees 0.018743
    assert ours.t_p == pytest.approx(0.018743, abs=1e-6)
    assert ours.holm_p == ours.t_p  # the only test: the autoencoder has one seed
    assert ours.sign_flip_p == 0.25  # 2 of the 8 sign patterns
    assert rival.seeds == (1,)
    assert rival.unpaired == (0, 2)
    assert (rival.t_p, rival.sign_flip_p, rival.remark) == (None, None, "one pair: no test")


def test_t_test_is_scipys():
    assert paired_t(PAIRS) == pytest.approx(ttest_rel(OURS, RANDOM).pvalue)


@pytest.mark.parametrize("pairs", [PAIRS, [0.1, -0.2, 0.3, 0.25], [0.0, 0.0, 0.1]])
def test_sign_flips_are_scipys(pairs):
    def mean(values, axis):
        return np.mean(values, axis=axis)

    theirs = permutation_test([pairs], mean, permutation_type="samples", n_resamples=4096, vectorized=True)
    assert sign_flip(pairs) == pytest.approx(theirs.pvalue)


def test_equal_differences_of_float32_accuracies_are_ties():
    """1/3 as a float32 and as a float64: exchanging the two signs leaves the mean where it is."""
    pairs = [float(np.float32(1 / 3)), -1 / 3, 0.5]
    assert sign_flip(pairs) == sign_flip([1 / 3, -1 / 3, 0.5]) == 0.75


def test_sign_flips_have_their_range():
    assert sign_flip([0.1]) is None
    assert sign_flip([0.1] * 12) == 2 / 2**12
    assert sign_flip([0.1] * 13) is None


def test_holm():
    # Sorted 0.01, 0.03, 0.04: times 3, 2, 1, and never below the one before
    assert holm([0.04, None, 0.01, 0.03]) == [pytest.approx(0.06), None, pytest.approx(0.03), pytest.approx(0.06)]
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([None]) == [None]


def test_equal_differences_have_no_t_test_and_no_nan(tmp_path):
    for seed, base in enumerate((0.5, 0.52, 0.54)):
        fake_run(tmp_path / "demo", init="random", seed=seed, clip=base)
        fake_run(tmp_path / "demo", init="autoencoder", seed=seed, clip=base)
        fake_run(tmp_path / "demo", init="ours", seed=seed, clip=float(np.float32(base + 0.1)))
    same, more, _ = found(tmp_path)
    assert (same.t_p, same.holm_p, same.sign_flip_p) == (None, None, 1.0)
    assert (more.t_p, more.holm_p, more.sign_flip_p) == (None, None, 0.25)
    assert more.remark == same.remark == "all differences equal: no t test"
    assert not any(isinstance(value, float) and math.isnan(value) for value in asdict(more).values())


def test_no_common_seed(tmp_path):
    fake_run(tmp_path / "demo", init="random", seed=0)
    fake_run(tmp_path / "demo", init="ours", seed=1)
    (one,) = found(tmp_path)
    assert (one.estimate, one.seeds, one.unpaired, one.remark) == (None, (), (0, 1), "no common seed")


def test_never_across_comparisons(tmp_path):
    for fraction in (0.25, 1.0):
        for seed in (0, 1):
            for init, clip in (("random", 0.4), ("ours", 0.5)):
                labelled(tmp_path / "demo", init, fraction, seed, clip + 0.01 * seed * fraction * len(init))
    assert [(one.within, one.row.init, one.base.init) for one in found(tmp_path)] == [
        ("25 % of labels", "ours", "random"),
        ("100 % of labels", "ours", "random"),
    ]


def test_untested_rows_have_no_difference(tmp_path):
    fake_run(tmp_path / "demo", init="random", clip=None)
    fake_run(tmp_path / "demo", init="ours")
    assert found(tmp_path) == ()
