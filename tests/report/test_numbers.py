from fbm.report import numbers
from fbm.report.stats import Estimate


def test_accuracy():
    assert numbers.accuracy(Estimate((), 0.5221, 0.0311)) == "52.2 ± 3.1"
    assert numbers.accuracy(Estimate((), 0.5221, None)) == "52.2 ± –"
    assert numbers.accuracy(None) == "–"


def test_gain_has_a_sign():
    assert numbers.gain(Estimate((), -0.021, None)) == "-2.1 ± –"
    assert numbers.gain(Estimate((), 0.103, 0.012)) == "+10.3 ± 1.2"


def test_duration():
    assert [numbers.duration(s) for s in (12.3, 59.7, 200, 7500, None)] == [
        "12 s", "1 min 0 s", "3 min 20 s", "2 h 5 min", "–",
    ]  # fmt: skip


def test_p_value():
    assert [numbers.p_value(p) for p in (1.0, 0.25, 0.0625, 0.02094912, 0.00099, None)] == [
        "1", "0.25", "0.0625", "0.0209", "<0.001", "–",
    ]  # fmt: skip


def test_plain_keeps_three_digits():
    assert [numbers.plain(value) for value in (45.44, 10, 1.618, 0.03125, -12.34)] == [
        "45.4", "10.0", "1.62", "0.0312", "-12.3",
    ]  # fmt: skip


def test_between():
    assert numbers.between(0.55, 0.6934) == "55.0 to 69.3"
