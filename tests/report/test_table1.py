import pytest

from fbm.errors import UserError
from fbm.report.read.runs import find
from fbm.report.sheet import markdown
from fbm.report.table1 import table1
from fbm.report.tables import caption, sheet
from tests.report.fake import fake_run, fake_study


def test_rows_in_the_papers_order(tmp_path):
    study = fake_study(tmp_path)
    fake_run(study, init="box-jitter", clip=0.4)
    rows = table1(find([study])).rows
    assert [row.init for row in rows] == ["random", "autoencoder", "ours", "box-jitter"]
    assert [row.published for row in rows] == [0.522, 0.568, 0.625, None]


def test_statistics_of_a_row(tmp_path):
    random, _, ours = table1(find([fake_study(tmp_path)])).rows
    assert random.clip
    assert random.video
    assert random.clip.mean == pytest.approx(0.52)
    assert random.clip.half_width == pytest.approx(0.0496827, abs=1e-7)
    assert random.video.mean == pytest.approx(0.56)
    assert random.gain is None
    assert ours.gain
    assert ours.gain.values == pytest.approx((0.10, 0.14, 0.09))  # seed by seed
    assert random.fitted_epochs is None
    assert ours.fitted_epochs
    assert ours.fitted_epochs.mean == 2


def test_single_run_and_missing_seeds_and_unfinished_run(tmp_path):
    row = table1(find([fake_study(tmp_path)])).rows[1]
    assert row.seeds == (1,)
    assert row.missing_seeds == (0, 2)  # seed 2 is there but unfinished: not averaged
    assert row.clip
    assert row.clip.half_width is None


def test_different_configs_are_never_averaged(tmp_path):
    study = tmp_path / "demo"
    for lr, clip in ((0.1, 0.3), (0.2, 0.7)):
        extra = {"optimizer": {"lr": lr}}
        fake_run(study, clip=clip, config=f"c{lr}", comparison=f"c{lr}", name=f"lr{lr}", extra=extra)
    table = table1(find([study]))
    assert [row.label for row in table.rows] == [
        "Random initialization (optimizer.lr=0.1)",
        "Random initialization (optimizer.lr=0.2)",
    ]
    assert [row.clip and row.clip.mean for row in table.rows] == [0.3, 0.7]
    assert "differ in more than the initialization (optimizer.lr)" in table.notes[0]


def test_no_gain_over_a_random_row_of_another_comparison(tmp_path):
    fake_run(tmp_path / "demo", init="random", comparison="a")
    fake_run(tmp_path / "demo", init="ours", comparison="b", extra={"init": {"name": "ours", "from": "x"}})
    table = table1(find([tmp_path]))
    assert table.rows[1].gain is None
    assert table.notes == (
        "Not one fair comparison: rows differ in more than the initialization (see their config.yaml).",
    )


def test_untested_run_is_named(tmp_path):
    fake_run(tmp_path / "demo", seed=0, clip=0.5)
    fake_run(tmp_path / "demo", seed=1, clip=None)
    table = table1(find([tmp_path]))
    assert table.rows[0].clip
    assert table.rows[0].clip.values == (0.5,)
    assert "not tested" in table.notes[0]
    assert "classify-random-seed1" in table.notes[0]


def started(study, init, starts):
    """Classifications that start from these pretraining runs, one a seed."""
    for seed, start in enumerate(starts):
        run = {"folder": f"o/{start}", "study": "o", "run": start, "seed": 0, "fingerprint": "f"}
        fake_run(study, init=init, seed=seed, more={"pretraining": run})


@pytest.mark.parametrize(
    ("ours", "autoencoder", "clause"),
    [
        (["a", "a"], ["b", "b"], "; all seeds of a pretrained row share one pretraining."),
        (["a", "a"], ["b"], "; all seeds of a pretrained row share one pretraining."),
        (["a", "a"], ["b", "c"], "; all seeds of Pretrained (ours) share one pretraining."),
        (["a", "d"], ["b", "c"], "."),
        (["a", "d", "d"], ["b"], "."),  # a note says that these are not independent
    ],
)
def test_the_caption_says_where_all_seeds_share_one_pretraining(tmp_path, ours, autoencoder, clause):
    started(tmp_path / "demo", "ours", ours)
    started(tmp_path / "demo", "autoencoder", autoencoder)
    for seed in range(2):
        fake_run(tmp_path / "demo", init="random", seed=seed)
    found = find([tmp_path])
    table = table1(found)
    assert caption(table).endswith(f"over seeds (Student t){clause}")
    assert caption(table) in markdown(sheet(table, found))


def test_doubles_are_refused_naming_both(tmp_path):
    fake_run(tmp_path / "demo", name="one")
    fake_run(tmp_path / "demo", name="two")
    with pytest.raises(UserError, match=r"one and .*two are the same run twice"):
        table1(find([tmp_path]))


def test_pretraining_alone_makes_no_table(tmp_path):
    fake_run(tmp_path / "demo", task="disentangle")
    fake_run(tmp_path / "demo", finished=False)
    with pytest.raises(UserError, match=r"no finished classification run.*1 other finished and 1 unfinished"):
        table1(find([tmp_path]))
