import pytest

from fbm.report.read.runs import find
from fbm.report.scarcity import scarcity, scarcity_table
from fbm.report.table1 import table1
from tests.report.fake import fake_run, labelled


def curves(path):
    return scarcity(table1(find([path])))


@pytest.fixture
def study(tmp_path):
    for fraction, gain in ((1.0, 0.3), (0.0625, 0.0), (0.25, 0.1)):
        for seed in (0, 1):
            labelled(tmp_path / "demo", "random", fraction, seed, 0.4 + gain + 0.02 * seed)
            labelled(tmp_path / "demo", "ours", fraction, seed, 0.5 + gain + 0.02 * seed)
    return tmp_path / "demo"


def test_a_curve_for_each_initialisation(study):
    random, ours = curves(study)
    assert (random.label, ours.init) == ("Random initialization", "ours")
    assert list(ours.rows) == [0.0625, 0.25, 1.0]
    assert [row.clip and row.clip.mean for row in ours.rows.values()] == pytest.approx([0.51, 0.61, 0.81])
    assert [len(row.runs) for row in random.rows.values()] == [2, 2, 2]
    clip = random.rows[0.0625].clip
    assert clip
    # t(0.975, 1) = 12.7062, deviation 0.02 / sqrt(2), over sqrt(2): half width 0.127062
    assert clip.half_width == pytest.approx(0.127062, abs=1e-6)


def test_one_share_is_no_curve(tmp_path):
    labelled(tmp_path / "demo", "random", 0.25, 0, 0.4)
    labelled(tmp_path / "demo", "ours", 0.25, 0, 0.4)
    assert curves(tmp_path) == ()


def test_an_initialisation_with_one_share_stays(study):
    labelled(study, "autoencoder", 0.25, 0, 0.45)
    labelled(study, "autoencoder", 1.0, 0, None)  # not tested
    assert [(curve.init, len(curve.rows)) for curve in curves(study)] == [
        ("random", 3), ("autoencoder", 1), ("ours", 3),
    ]  # fmt: skip
    rows = scarcity_table(curves(study), "demo").rows
    assert rows[1] == ("Pretrained (autoencoder)", "–", "45.0 ± – (1)", "–")
    assert rows[0] == ("Random initialization", "41.0 ± 12.7 (2)", "51.0 ± 12.7 (2)", "71.0 ± 12.7 (2)")


def test_an_initialisation_without_a_test_has_no_curve(study):
    labelled(study, "autoencoder", 0.25, 0, None)
    assert [curve.init for curve in curves(study)] == ["random", "ours"]


def test_rows_that_differ_in_more_are_not_one_curve(tmp_path):
    for fraction, lr in ((0.25, 0.1), (1.0, 0.2)):
        labelled(tmp_path / "demo", "random", fraction, 0, 0.4, extra={"optimizer": {"lr": lr}})
    assert curves(tmp_path) == ()


def test_unlike_pretrainings_are_not_one_curve(tmp_path):
    for fraction in (0.25, 1.0):
        start = {"pretraining": {"folder": "o/p", "study": "o", "run": "p", "seed": 0, "fingerprint": f"f{fraction}"}}
        labelled(tmp_path / "demo", "ours", fraction, 0, 0.4, more=start)
    assert curves(tmp_path) == ()


def test_settings_apart_are_curves_apart(study):
    for fraction in (0.25, 1.0):
        labelled(
            study, "random", fraction, 0, 0.9, suffix="-slow", extra={"optimizer": {"lr": 0.5}},
            comparison=f"slow-{fraction}",
        )  # fmt: skip
    assert [curve.label for curve in curves(study)] == [
        "Random initialization (optimizer.lr=0.0001)",
        "Random initialization (optimizer.lr=0.5)",
        "Pretrained (ours)",
    ]


def test_older_summaries_are_read_by_their_config(tmp_path):
    for fraction in (0.25, 1.0):
        fake_run(
            tmp_path / "demo", name=f"r{fraction}", comparison=f"c{fraction}", clip=fraction / 2,
            extra={"data": {"label_fraction": fraction}},
        )  # fmt: skip
    (curve,) = curves(tmp_path)
    assert [(share, row.clip and row.clip.mean) for share, row in curve.rows.items()] == [(0.25, 0.125), (1.0, 0.5)]


def test_table1_says_the_share_and_stays_fair(study):
    table = table1(find([study]))
    assert [row.label for row in table.rows[:2]] == [
        "Random initialization, 6.25 % of labels", "Random initialization, 25 % of labels",
    ]  # fmt: skip
    assert table.rows[3].label == "Pretrained (ours), 6.25 % of labels"
    assert table.notes == ("Initializations are compared within one share of the labels, never across shares.",)
    assert table.rows[3].gain
    assert table.rows[3].gain.mean == pytest.approx(0.1)
    assert {row.published for row in table.rows} == {None}


def test_other_settings_beside_the_share_are_not_one_fair_comparison(study):
    labelled(study, "ours", 0.5, 0, 0.9, extra={"optimizer": {"lr": 0.5}})
    (note,) = table1(find([study])).notes
    assert note == (
        "Not one fair comparison: rows differ in more than the initialization (data.label_fraction, optimizer.lr)."
    )
