import json
from typing import Any

import pytest

from fbm.report.comparisons import differences
from fbm.report.export import runs, table1_json
from fbm.report.page.tables import runs_table
from fbm.report.read.runs import find
from fbm.report.summary_sentence import summary_sentence
from fbm.report.table import markdown
from fbm.report.table1 import table1
from fbm.report.table1_table import COLUMNS, caption, full_table
from fbm.utils.errors import UserError
from tests.report.fake import fake_run, fake_study


def test_rows_in_the_papers_order(tmp_path):
    study = fake_study(tmp_path)
    fake_run(study, init="box-jitter", clip=0.4)
    rows = table1(find([study])).rows
    assert [row.init for row in rows] == ["random", "autoencoder", "ours", "box-jitter"]
    assert {row.published for row in rows} == {None}  # the demo's data are not the paper's


@pytest.mark.parametrize(
    ("data", "classes", "shown"), [("ucf24", 24, True), ("ucf24", 2, False), ("ucf101", 24, False)]
)
def test_published_accuracies_stand_beside_the_papers_data_alone(tmp_path, data, classes, shown):
    more = {"data": data, "classes": [f"class {at}" for at in range(classes)]}
    for init in ("random", "autoencoder", "ours", "box-jitter"):
        fake_run(tmp_path / "demo", init=init, more=more)
    found = find([tmp_path])
    table = table1(found)
    assert [row.published for row in table.rows] == ([0.522, 0.568, 0.625, None] if shown else [None] * 4)
    made = full_table(table, found)
    assert (COLUMNS["paper"].head in made.head) == shown
    assert any(line.startswith("paper:") for line in made.remarks) == shown


def test_columns_that_tell_nothing_are_left_out(tmp_path):
    """One clip per video, no second row, no seed missing, no run that fits its training, and not the paper's data."""
    for seed in (0, 1):
        fake_run(tmp_path / "demo", seed=seed, clip=0.5, video=0.5, train=(0.1, 0.2))
    found = find([tmp_path])
    made = full_table(table1(found), found)
    assert made.head == ("Initialization", "Clip accuracy, %", "Runs", "Seeds")
    assert made.rows[0] == ("Random initialization", "50.0 ± 0.0", "2", "0, 1")
    assert "video accuracy is the same as clip accuracy in every run: a clip per video" in made.remarks
    assert "Test video, %" not in runs_table(found).head
    assert "Started from" not in runs_table(found).head
    fake_run(tmp_path / "demo", init="ours", clip=0.6, video=0.7, train=(0.1, 0.95))
    made = full_table(table1(found := find([tmp_path])), found)
    assert made.head == tuple(column.head for key, column in COLUMNS.items() if key != "paper")


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
    assert caption(table) in markdown(full_table(table, found))


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


def part(clips: int, of: int = 141, **more: Any) -> dict[str, Any]:
    """What a summary says of a test that left clips out, or of a whole one."""
    return {"more": {"tested_clips": clips, "samples": {"test": of}, **more}}


def test_a_partial_test_is_marked_and_never_averaged_with_a_whole_one(tmp_path):
    """The same config fingerprint: that how much was tested is in the config may not be needed to tell them apart."""
    study = tmp_path / "demo"
    for seed, clip in enumerate((0.50, 0.60)):
        fake_run(study, seed=seed, clip=clip, config="same", **part(141))
        fake_run(study, init="ours", seed=seed, clip=clip + 0.1, **part(141))
    for seed in (2, 3):
        fake_run(study, seed=seed, clip=0.9, config="same", **part(80, confusion=[[72, 8], [0, 0]]))
    found = find([study])
    table = table1(found)
    assert [(row.label, row.seeds) for row in table.rows] == [
        ("Random initialization", (0, 1)),
        ("Random initialization (tested on 80 of 141 test clips (1 of 2 classes))", (2, 3)),
        ("Pretrained (ours)", (0, 1)),
    ]
    assert [row.clip.mean for row in table.rows if row.clip] == pytest.approx([0.55, 0.9, 0.65])
    assert table.rows[2].gain
    assert table.rows[2].gain.values == pytest.approx((0.1, 0.1))
    assert [(one.row.name, one.base.name) for one in differences(table)] == [
        ("Pretrained (ours)", "Random initialization")
    ]
    assert "90.0" not in summary_sentence(table, differences(table))
    assert "of demo: 141 clips (80 of 141 test clips (1 of 2 classes) in rows that say so), 4 classes" in caption(table)
    assert (
        "Only 80 of 141 test clips (1 of 2 classes) were tested (trainer.limit_test_batches) in "
        "classify-random-seed2, classify-random-seed3"
    ) in " ".join(table.notes)
    content = json.loads(table1_json(table, found))
    assert [row["partial_test"] for row in content["rows"]] == [None, "80 of 141 test clips (1 of 2 classes)", None]
    assert [run["tested_clips"] for run in content["rows"][1]["runs"]] == [80, 80]
    assert {row["tested_clips"] for row in runs(found.runs)} == {80, 141}
    listed = runs_table(found)
    assert [row[listed.head.index("Test clip, %")] for row in listed.rows] == [
        "60.0", "70.0", "50.0", "60.0", "90.0 (80 of 141)", "90.0 (80 of 141)",
    ]  # fmt: skip


def test_where_all_tests_are_partial_headline_and_caption_say_so_first(tmp_path):
    for init, clip in (("random", 0.5), ("ours", 0.75)):
        fake_run(tmp_path / "demo", init=init, clip=clip, **part(16, 126))
    table = table1(find([tmp_path]))
    assert summary_sentence(table, differences(table)).startswith(
        "Not the test set, only 16 of 126 test clips were tested. "
    )
    assert "of demo: 16 of 126 test clips, 4 classes" in caption(table)


def test_an_older_summary_tells_by_its_confusion_how_much_was_tested(tmp_path):
    more = {"confusion": [[3, 1], [2, 2]], "samples": {"test": 20}}
    fake_run(tmp_path / "demo", more=more)
    fake_run(tmp_path / "demo", seed=1, more={**more, "samples": {"test": 8}})
    assert [row.partial for row in table1(find([tmp_path])).rows] == ["", "8 of 20 test clips"]


def test_limits_of_the_test_name_rows_by_what_was_tested(tmp_path):
    """The limit is in the fingerprints too; a row is not called by it."""
    for limit, clips in (("null", 141), (2, 16), (4, 32)):
        fake_run(
            tmp_path / "demo", name=f"limit{limit}", config=f"c{limit}", comparison=f"c{limit}",
            extra={"trainer": {"limit_test_batches": limit}}, **part(clips),
        )  # fmt: skip
    table = table1(find([tmp_path]))
    assert [row.name for row in table.rows] == [
        "Random initialization",
        "Random initialization (tested on 16 of 141 test clips)",
        "Random initialization (tested on 32 of 141 test clips)",
    ]
    assert [row.within for row in table.rows] == [
        "tested on all test clips", "tested on 16 of 141 test clips", "tested on 32 of 141 test clips",
    ]  # fmt: skip
    assert table.notes[0] == (
        "Initializations are compared where these are equal, never across them: the clips that were tested."
    )
