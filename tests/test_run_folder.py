import json
import multiprocessing

import pytest

from fbm.errors import UserError
from fbm.run_folder import open_run


def finish(folder, identity="a", overwrite=False, value=1):
    with open_run(folder, identity, overwrite) as run:
        assert run.summary is None
        run.start("seed: 0\n")
        run.finish({"fingerprints": {"run": identity}, "value": value})


def test_a_run_is_finished_when_its_summary_is_there(tmp_path):
    folder = tmp_path / "study" / "run"
    with open_run(folder, "a", overwrite=False) as run:
        assert run.best == folder / "checkpoints" / "best.ckpt"
        run.start("seed: 0\n")
        assert (folder / "config.yaml").read_text() == "seed: 0\n"
        assert not (folder / "summary.json").exists()
        run.finish({"value": 1})
    assert json.loads((folder / "summary.json").read_text()) == {"value": 1}


def test_a_finished_run_is_given_back_as_it_is(tmp_path):
    finish(tmp_path)
    (tmp_path / "metrics.csv").write_text("kept")
    with open_run(tmp_path, "a", overwrite=False) as run:
        assert run.summary is not None
        assert run.summary["value"] == 1
    assert (tmp_path / "metrics.csv").read_text() == "kept"
    assert not (tmp_path / "earlier-1").exists()


def test_other_settings_in_the_same_folder_are_refused(tmp_path):
    finish(tmp_path)
    with pytest.raises(UserError, match=r"other settings.*overwrite=true"), open_run(tmp_path, "b", overwrite=False):
        pytest.fail("opened")
    assert json.loads((tmp_path / "summary.json").read_text())["value"] == 1


def test_overwrite_keeps_the_old_run(tmp_path):
    finish(tmp_path, value=1)
    (tmp_path / ".hydra").mkdir()
    finish(tmp_path, "b", overwrite=True, value=2)
    finish(tmp_path, "b", overwrite=True, value=3)
    values = [
        json.loads((tmp_path / place / "summary.json").read_text())["value"] for place in ("earlier-1", "earlier-2", "")
    ]
    assert values == [1, 2, 3]
    assert (tmp_path / ".hydra").is_dir()  # this job's own


def test_what_an_unfinished_run_left_is_moved_aside(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "last.ckpt").write_text("half")
    (tmp_path / "metrics.csv").write_text("rows")
    with open_run(tmp_path, "a", overwrite=False) as run:
        assert run.summary is None
        assert not (tmp_path / "metrics.csv").exists()
    assert (tmp_path / "earlier-1" / "checkpoints" / "last.ckpt").read_text() == "half"
    assert (tmp_path / "earlier-1" / "metrics.csv").read_text() == "rows"


def test_earlier_runs_may_be_deleted(tmp_path):
    (tmp_path / "earlier-2").mkdir()
    (tmp_path / "metrics.csv").write_text("1")
    with open_run(tmp_path, "a", overwrite=False):
        (tmp_path / "metrics.csv").write_text("2")
    with open_run(tmp_path, "a", overwrite=False):
        pass
    assert (tmp_path / "earlier-1" / "metrics.csv").read_text() == "1"
    assert (tmp_path / "earlier-3" / "metrics.csv").read_text() == "2"
    assert not any((tmp_path / "earlier-2").iterdir())


def test_a_damaged_summary_is_named_and_overwrite_gets_past_it(tmp_path):
    (tmp_path / "summary.json").write_text('{"value": ')
    with pytest.raises(UserError, match=r"summary\.json is damaged.*overwrite=true"), open_run(tmp_path, "a", False):
        pytest.fail("opened")
    finish(tmp_path, overwrite=True)
    assert (tmp_path / "earlier-1" / "summary.json").read_text() == '{"value": '


def test_a_summary_of_something_else_is_not_ours_to_run_over(tmp_path):
    (tmp_path / "summary.json").write_text("[1, 2]")
    with pytest.raises(UserError, match="other settings"), open_run(tmp_path, "a", overwrite=False):
        pytest.fail("opened")


def hold(folder, ready, done):
    with open_run(folder, "a", overwrite=False):
        ready.set()
        done.wait(30)


def test_two_jobs_never_share_a_folder(tmp_path):
    context = multiprocessing.get_context("fork")
    ready, done = context.Event(), context.Event()
    other = context.Process(target=hold, args=(tmp_path, ready, done))
    other.start()
    try:
        assert ready.wait(30)
        with pytest.raises(UserError, match="in use by another"), open_run(tmp_path, "a", overwrite=False):
            pytest.fail("opened")
    finally:
        done.set()
        other.join()
    finish(tmp_path)  # the lock went with its holder


def test_a_failing_job_leaves_no_summary(tmp_path):
    with pytest.raises(ZeroDivisionError), open_run(tmp_path, "a", overwrite=False) as run:
        run.start(str(1 / 0))
    with open_run(tmp_path, "a", overwrite=False) as again:
        assert again.summary is None
