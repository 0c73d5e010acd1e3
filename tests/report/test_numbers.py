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
