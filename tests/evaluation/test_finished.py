"""Which runs an analysis takes: of paths that are runs or studies, the finished ones of its kind."""

import pytest

from fbm.evaluation.finished import CLASSIFICATION, PRETRAINING, finished_runs
from fbm.utils.errors import UserError
from tests.report.fake import declare, fake_run


def test_runs_of_a_study_and_a_run_named_beside_it_come_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ours = fake_run(tmp_path / "demo", task="disentangle", init=None).relative_to(tmp_path)
    fake_run(tmp_path / "demo", task="disentangle", init=None, seed=1, finished=False)
    tuned = fake_run(tmp_path / "demo").relative_to(tmp_path)
    assert finished_runs([ours.parent, ours, ours.resolve()], PRETRAINING) == [ours]
    assert finished_runs([ours.parent], PRETRAINING) == [ours]
    assert finished_runs([tuned.parent], CLASSIFICATION) == [tuned]


def test_runs_that_a_study_declares_may_lie_elsewhere_and_are_named_as_a_person_types_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fake_run(tmp_path / "first", task="disentangle", init=None, name="ours")
    fake_run(tmp_path / "second", task="disentangle", init=None, name="stranger")
    declare(tmp_path / "second", {"folder": "../first/ours"}, {"folder": "not-started"})
    assert [path.as_posix() for path in finished_runs([tmp_path / "second"], PRETRAINING)] == ["first/ours"]


def test_a_damaged_study_is_one_line(tmp_path):
    fake_run(tmp_path, task="disentangle", init=None)
    (tmp_path / "study.json").write_text('{"name": "s"}')
    with pytest.raises(UserError, match=r"study\.json: damaged study \(jobs: .*fbm study"):
        finished_runs([tmp_path], PRETRAINING)
