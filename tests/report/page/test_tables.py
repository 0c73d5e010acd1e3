from fbm.report.page.tables import lineage_table, provenance, runs_table
from fbm.report.read.runs import find
from fbm.report.table1 import table1
from tests.report.fake import fake_run
from tests.report.full_study import full_study


def test_lineage(tmp_path):
    made = lineage_table(table1(find([full_study(tmp_path, fractions=(1.0,))])))
    assert made.rows == (
        ("Pretrained (autoencoder)", "scarcity/autoencode-None-seed0", "autoencode-print", "0, 1, 2"),
        ("Pretrained (ours)", "scarcity/disentangle-None-seed0", "disentangle-print", "0, 1, 2"),
    )


def test_a_run_says_where_it_started_and_with_how_many_labels(tmp_path):
    fake_run(
        tmp_path / "demo", extra={"data": {"label_fraction": 0.125}, "init": {"name": "ours", "checkpoint": "a/b"}}
    )
    (row,) = runs_table(find([tmp_path])).rows
    assert row[4] == "12.5"
    assert row[-1] == "a/b"


def test_what_differs_stands_side_by_side(tmp_path):
    fake_run(tmp_path / "demo", seed=0, more={"lock": "a" * 16, "packages": "p" * 16})
    fake_run(tmp_path / "demo", seed=1, more={"lock": "b" * 16, "git": {"commit": "abc", "dirty": True}})
    lines = provenance(find([tmp_path]).runs)
    said = dict(lines)
    assert [value for _, value in lines].count(f"{'a' * 16}, {'b' * 16}") == 1
    assert said["Lock (requirements.lock)"] == f"{'a' * 16}, {'b' * 16}"
    assert said["Installed packages"] == f"not recorded, {'p' * 16}"
    assert said["Commit"] == "abc with uncommitted changes, abc123"
    assert said["Version: torch"] == "2.13.0"


def test_older_runs_say_nothing_of_locks(tmp_path):
    fake_run(tmp_path / "demo")
    labels = [label for label, _ in provenance(find([tmp_path]).runs)]
    assert not any("ock" in label or "ackage" in label for label in labels)
