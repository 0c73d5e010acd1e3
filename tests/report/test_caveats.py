from pathlib import Path
from typing import Any

import pytest

from fbm.report.read.runs import find
from fbm.report.table1 import paired, table1
from fbm.utils.errors import UserError
from tests.report.fake import fake_run


def started(study: Path, seed: int, fingerprint: str, run: str = "pre") -> Path:
    origin = {"folder": f"o/{run}", "study": study.name, "run": run, "seed": 0, "fingerprint": fingerprint}
    return fake_run(study, init="ours", seed=seed, more={"pretraining": origin})


def test_runs_from_an_earlier_version_of_their_pretraining_are_named(tmp_path):
    study = tmp_path / "demo"
    fake_run(study, task="disentangle", init=None, name="pre", config="now")
    fake_run(study, init="random")
    for seed, fingerprint in enumerate(("before", "now", "before")):
        started(study, seed, fingerprint)
    assert table1(find([study])).notes == (
        "classify-ours-seed0, classify-ours-seed2 started from an earlier version of demo/pre: run them again with "
        "overwrite=true.",
    )


def test_a_single_one_is_not_called_them(tmp_path):
    fake_run(tmp_path / "demo", task="disentangle", init=None, name="pre", config="now")
    started(tmp_path / "demo", 7, "before")
    (note,) = table1(find([tmp_path])).notes
    assert note.endswith("earlier version of demo/pre: run classify-ours-seed7 again with overwrite=true.")


def test_a_pretraining_that_is_not_among_the_runs_tells_nothing(tmp_path):
    fake_run(tmp_path / "other", task="disentangle", init=None, name="pre", config="now")  # of another study
    fake_run(tmp_path / "demo", task="disentangle", init=None, name="pre", finished=False)
    started(tmp_path / "demo", 0, "before")
    assert table1(find([tmp_path])).notes == ()


@pytest.mark.parametrize("origin", [{}, {"pretraining": None}, {"pretraining": {"study": "demo", "run": "pre"}}])
def test_older_summaries_tell_nothing(tmp_path, origin: dict[str, Any]):
    fake_run(tmp_path / "demo", task="disentangle", init=None, name="pre", config="now")
    fake_run(tmp_path / "demo", init="ours", more=origin)
    assert table1(find([tmp_path])).notes == ()


def test_official_splits_of_one_data_set_are_reported_together(tmp_path):
    for init, gain in (("random", 0), ("ours", 0.25)):
        for seed in (1, 2, 3):
            split = {"data": {"split": seed}}
            fake_run(tmp_path / "demo", init=init, seed=seed, data=f"d{seed}", clip=seed / 10 + gain, extra=split)
    table = table1(find([tmp_path]))
    assert [row.seeds for row in table.rows] == [(1, 2, 3)] * 2
    assert paired(table.rows[1].clips, table.rows[0].clips) == pytest.approx({1: 0.25, 2: 0.25, 3: 0.25})
    assert table.data_fingerprint == "d1 d2 d3"
    assert table.notes == (
        "Every seed has an official split of its own (seed 1 split 1, seed 2 split 2, seed 3 split 3): means and "
        "differences are over splits, too.",
    )


@pytest.mark.parametrize(
    "other", [{"data": "d2"}, {"data": "d2", "extra": {"data": {"split": 2}}, "more": {"classes": ["Bounce", "Spin"]}}]
)
def test_other_data_are_refused(tmp_path, other: dict[str, Any]):
    fake_run(tmp_path / "demo", init="random", extra={"data": {"split": 1}})
    fake_run(tmp_path / "demo", init="ours", **{"extra": {"data": {"split": 1}}, **other})
    with pytest.raises(UserError, match=r"two data sets among the runs: .*ours-seed0 .* and .*random-seed0 "):
        find([tmp_path])
