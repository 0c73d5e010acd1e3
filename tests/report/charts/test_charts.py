from dataclasses import replace

import pytest

from fbm.report.charts import COLOURS, MARKERS, line_styles, pretraining, scarcity, validation
from fbm.report.pretraining import pretrainings
from fbm.report.read.runs import find
from fbm.report.scarcity import Curve
from fbm.report.stats import Estimate
from fbm.report.table1 import table1
from tests.report.fake import fake_run
from tests.report.full_study import full_study


def test_validation_marks_say_mean_range_and_seeds(tmp_path):
    fake_run(tmp_path / "demo", seed=0, val=(0.1, 0.2))
    fake_run(tmp_path / "demo", seed=1, val=(0.3, 0.4, 0.55))
    (chart,) = validation(table1(find([tmp_path])))
    (line,) = chart.lines
    assert [mark.x for mark in line.marks] == [1, 2, 3]
    assert line.marks[0][1:4] == pytest.approx((20, 10, 30))
    assert line.marks[0].tooltip == "20.0 % (10.0 to 30.0, 2 seeds)"
    assert line.marks[2].tooltip == "55.0 % (1 seed)"
    assert line.whole == 2  # the third epoch has one seed of two
    assert chart.chance == 25
    assert chart.title == ""


def test_shares_of_labels_have_charts_of_their_own(tmp_path):
    charts = validation(table1(find([full_study(tmp_path, fractions=(0.25, 1.0))])))
    assert [chart.title for chart in charts] == ["25 % of labels", "100 % of labels"]
    assert [line.label for line in charts[0].lines] == [
        "Random initialization", "Pretrained (autoencoder)", "Pretrained (ours)",
    ]  # fmt: skip
    assert len({chart.name for chart in charts}) == 2


def test_no_accuracies_no_chart(tmp_path):
    fake_run(tmp_path / "demo", val=())
    assert validation(table1(find([tmp_path]))) == []


def test_scarcity_bars_stay_within_what_an_accuracy_can_be(tmp_path):
    fake_run(tmp_path / "demo")
    (row,) = table1(find([tmp_path])).rows
    points = {
        0.25: replace(row, clip=Estimate((0.1, 0.3), 0.2, 0.35)),
        1.0: replace(row, clip=Estimate((0.9,), 0.9, None)),
    }
    (chart,) = scarcity([Curve("ours", "Ours", points)], classes=4)
    low, high = chart.lines[0].marks
    assert low[:4] == pytest.approx((25, 20, 0, 55))
    assert low.tooltip == "20.0 ± 35.0 % (2 runs)"
    assert high[:4] == pytest.approx((100, 90, 90, 90))
    assert high.tooltip == "90.0 ± – % (1 run)"
    assert scarcity([], classes=4) == []


def test_pretraining_losses_apart_and_online_probes_together(tmp_path):
    groups = pretrainings(find([full_study(tmp_path, fractions=(1.0,))]))
    charts = {chart.name: chart for chart in pretraining(groups, classes=6)}
    assert list(charts) == ["val-loss-disentangle", "val-loss-autoencode", "knn_top1", "linear_top1"]
    assert charts["val-loss-disentangle"].chance is None
    knn = charts["knn_top1"]
    assert [line.label for line in knn.lines] == ["disentangle", "autoencode"]
    assert [line.style.colour for line in knn.lines] == [2, 1]  # those of the initialisations that start from them
    assert knn.lines[0].marks[-1].tooltip == "39.0 % (1 seed)"
    assert knn.chance == pytest.approx(100 / 6)


def test_a_pretraining_shows_the_metric_that_chose_its_checkpoint(tmp_path):
    run = fake_run(tmp_path / "demo", task="disentangle", init=None, more={"monitor": "val/reconstruction"})
    (run / "metrics.csv").write_text("epoch,step,val/loss,val/reconstruction\n0,9,3,1.5\n1,18,4,1.25\n")
    fake_run(tmp_path / "demo", task="autoencode", init=None, more={"monitor": "val/loss"})
    (chart,) = pretraining(pretrainings(find([tmp_path])), classes=4)
    assert (chart.title, chart.y_title) == (
        "disentangle: val/reconstruction, which chooses the checkpoint", "val/reconstruction",
    )  # fmt: skip
    assert [(mark.x, mark.y) for mark in chart.lines[0].marks] == [(1, 1.5), (2, 1.25)]


def test_a_pretraining_without_metrics_is_left_out(tmp_path):
    fake_run(tmp_path / "demo", task="disentangle", init=None)
    assert pretraining(pretrainings(find([tmp_path])), classes=4) == []


def test_the_papers_three_keep_their_colours():
    assert [style.colour for style in line_styles(["ours", "random", "autoencoder"])] == [2, 0, 1]


def test_others_take_turns_and_the_same_initialisation_keeps_its_colour():
    made = line_styles(["mine", "ours", "yours", "mine", *"abcde"])
    assert [style.colour for style in made[:4]] == [3, 2, 4, 3]
    assert [style.marker for style in made[:4]] == [0, 0, 0, 1]
    assert all(3 <= style.colour < COLOURS for style in made[4:])


def test_there_is_always_a_marker():
    assert {style.marker for style in line_styles(["ours"] * 20)} == set(range(MARKERS))
