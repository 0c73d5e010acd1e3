from fbm.report.comparison_table import comparison_table
from fbm.report.comparisons import differences
from fbm.report.read.runs import find
from fbm.report.table1 import table1
from tests.report.fake import fake_run, fake_study, labelled


def made(path):
    table = table1(find([path]))
    return comparison_table(differences(table), table)


def pretrained(path, seeds, start) -> None:
    for seed in seeds:
        fake_run(path, init="random", seed=seed, clip=0.5 + seed / 50)
        run = {"folder": f"o/{start(seed)}", "study": "o", "run": start(seed), "seed": 0, "fingerprint": "f"}
        fake_run(path, init="ours", seed=seed, clip=0.6 + seed / 40, more={"pretraining": run})


def test_cells(tmp_path):
    rows = made(fake_study(tmp_path)).rows
    assert rows[1] == (
        "Pretrained (ours) \u2212 Random initialization", "+11.0 ± 6.6", "3", "–", "0.0187", "0.0187", "0.25", "5", "",
    )  # fmt: skip
    assert rows[0][1:] == ("+4.0 ± –", "1", "0, 2", "–", "–", "–", "–", "one pair: no test")


def test_assumptions_are_in_words(tmp_path):
    said = " ".join(made(fake_study(tmp_path)).remarks)
    assert "independent and about normally distributed" in said
    assert "corrected for the 1 tests here" not in said
    assert "corrected for the only test here" in said
    assert "It cannot be smaller than 0.25 with 3 pairs" in said
    assert "a true difference of 5 points in 80 of 100 studies" in said
    assert "pretraining" not in said  # these runs do not say where they started


def test_one_pretraining_for_all_seeds_is_said(tmp_path):
    pretrained(tmp_path / "demo", (0, 1), lambda seed: "only")
    assert "has one pretraining run for all its seeds" in made(tmp_path).remarks[-1]


def test_pretraining_of_its_own_is_said(tmp_path):
    pretrained(tmp_path / "demo", (0, 1), lambda seed: f"pre-seed{seed}")
    table = table1(find([tmp_path]))
    assert "Where seeds start from pretraining runs of their own, these vary too." in made(tmp_path).remarks[-1]
    (note,) = table.notes
    assert note.startswith("Pretrained (ours): every seed has a pretraining run of its own")
    assert table.rows[1].seeds == (0, 1)  # one row: they are averaged


def test_shared_pretrainings_are_not_independent(tmp_path):
    pretrained(tmp_path / "demo", (0, 1, 2), lambda seed: f"pre-seed{seed % 2}")
    (note,) = table1(find([tmp_path])).notes
    assert "3 runs start from 2 pretraining runs, so they are not independent" in note


def test_several_comparisons_have_a_column_of_their_own(tmp_path):
    for fraction in (0.25, 1.0):
        for init in ("random", "ours"):
            labelled(tmp_path / "demo", init, fraction, 0, 0.5)
    table = made(tmp_path)
    assert table.head[0] == "Within"
    assert [row[0] for row in table.rows] == ["25 % of labels", "100 % of labels"]
    assert all(len(row) == len(table.head) for row in table.rows)
