from fbm.report.page.grids import grid, lineage_grid, missing, runs_grid
from fbm.report.read.runs import find
from fbm.report.table1 import table1
from tests.report.fake import fake_run, fake_study
from tests.report.full_study import full_study


def test_columns_of_numbers_are_told_from_text():
    head = ("row", "a", "b", "c", "d", "e")
    made = grid(
        head,
        [
            ("1", "52.0 ± 5.0 (3)", "–", "3 min 20 s", "0, 1, 2", "seed 1"),
            ("2", "-1.5 ± –", "<0.001", "2 h 5 min", "–", "–"),
        ],
    )
    assert made.kinds == ["", "num", "num", "num", "num", ""]


def test_long_text_may_break_and_no_rows_are_no_error():
    assert grid(("a", "b"), [("x", "a sentence of more than a few words")]).kinds == ["", "long"]
    assert grid(("a", "b"), []).rows == []


def test_missing_runs_and_seeds(tmp_path):
    found = find([fake_study(tmp_path)])
    lines = missing(table1(found), found)
    assert len(lines) == 2
    assert lines[0].startswith("unfinished: ")
    assert lines[0].endswith("classify-autoencoder-seed2")
    assert lines[1] == "Pretrained (autoencoder): no finished run for these seeds: 0, 2"


def test_lineage(tmp_path):
    made = lineage_grid(table1(find([full_study(tmp_path, fractions=(1.0,))])))
    assert made.rows == [
        ("Pretrained (autoencoder)", "scarcity/autoencode-None-seed0", "autoencode-print", "0, 1, 2"),
        ("Pretrained (ours)", "scarcity/disentangle-None-seed0", "disentangle-print", "0, 1, 2"),
    ]


def test_a_run_says_where_it_started_and_with_how_many_labels(tmp_path):
    fake_run(
        tmp_path / "demo", extra={"data": {"label_fraction": 0.125}, "init": {"name": "ours", "checkpoint": "a/b"}}
    )
    (row,) = runs_grid(find([tmp_path])).rows
    assert row[4] == "12.5"
    assert row[-1] == "a/b"
