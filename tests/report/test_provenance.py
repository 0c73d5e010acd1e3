from fbm.report.provenance import provenance
from fbm.report.read.runs import find
from tests.report.fake import fake_run


def test_what_differs_stands_side_by_side(tmp_path):
    fake_run(tmp_path / "demo", seed=0, more={"lock": "a" * 16, "packages": "p" * 16})
    fake_run(tmp_path / "demo", seed=1, more={"lock": "b" * 16, "git": {"commit": "abc", "dirty": True}})
    said = dict(provenance(find([tmp_path]).runs))
    assert said["Lock"] == f"{'a' * 16}, {'b' * 16}"
    assert said["Packages"] == f"not recorded, {'p' * 16}"
    assert said["Commit"] == "abc with uncommitted changes, abc123"
    assert said["Version: torch"] == "2.13.0"


def test_older_runs_say_nothing_of_locks(tmp_path):
    fake_run(tmp_path / "demo")
    assert "Lock" not in dict(provenance(find([tmp_path]).runs))
