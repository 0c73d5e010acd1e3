import fcntl
import json
import multiprocessing
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from fbm.runs.folder import Run, open_run_folder
from fbm.utils.errors import UserError
from tests.runs.summaries import run_summary


def finish(folder, identity="a", overwrite=False, value=1):
    with open_run_folder(folder, identity, overwrite) as run:
        assert run.summary is None
        run.start("seed: 0\n")
        run.finish(run_summary(identity, epochs=value))


def test_a_run_is_finished_when_its_summary_is_there(tmp_path):
    folder = tmp_path / "study" / "run"
    with open_run_folder(folder, "a", overwrite=False) as run:
        assert run.best == folder / "checkpoints" / "best.ckpt"
        run.start("seed: 0\n")
        assert (folder / "config.yaml").read_text() == "seed: 0\n"
        assert not (folder / "summary.json").exists()
        run.finish(run_summary(epochs=1))
    assert json.loads((folder / "summary.json").read_text())["epochs"] == 1


def test_a_finished_run_is_given_back_as_it_is(tmp_path):
    finish(tmp_path)
    (tmp_path / "metrics.csv").write_text("kept")
    with open_run_folder(tmp_path, "a", overwrite=False) as run:
        assert run.summary is not None
        assert run.summary.epochs == 1
    assert (tmp_path / "metrics.csv").read_text() == "kept"
    assert not (tmp_path / "earlier-1").exists()


def test_other_settings_in_the_same_folder_are_refused(tmp_path):
    finish(tmp_path)
    with (
        pytest.raises(UserError, match=r"other settings.*overwrite=true"),
        open_run_folder(tmp_path, "b", overwrite=False),
    ):
        pytest.fail("opened")
    assert json.loads((tmp_path / "summary.json").read_text())["epochs"] == 1


def test_overwrite_keeps_the_old_run(tmp_path):
    finish(tmp_path, value=1)
    (tmp_path / ".hydra").mkdir()
    finish(tmp_path, "b", overwrite=True, value=2)
    finish(tmp_path, "b", overwrite=True, value=3)
    values = [
        json.loads((tmp_path / place / "summary.json").read_text())["epochs"]
        for place in ("earlier-1", "earlier-2", "")
    ]
    assert values == [1, 2, 3]
    assert (tmp_path / ".hydra").is_dir()  # this job's own


def unfinished(folder, identity="a"):
    """What a run leaves that was killed."""
    (folder / "checkpoints").mkdir(parents=True)
    carried = {"task": "classify", "metrics": {}, "fingerprints": {"run": identity}}
    torch.save({"fbm": carried, "state_dict": {}}, folder / "checkpoints" / "last.ckpt")
    (folder / "metrics.csv").write_text("rows")
    return folder / "checkpoints" / "last.ckpt"


def test_what_a_run_left_that_saved_nothing_is_moved_aside(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "best.ckpt").write_text("best")
    (tmp_path / "metrics.csv").write_text("rows")
    with open_run_folder(tmp_path, "a", overwrite=False) as run:
        assert (run.summary, run.start_from, run.own_checkpoint) == (None, None, False)
        assert not (tmp_path / "metrics.csv").exists()
    assert (tmp_path / "earlier-1" / "checkpoints" / "best.ckpt").read_text() == "best"
    assert (tmp_path / "earlier-1" / "metrics.csv").read_text() == "rows"


@pytest.mark.parametrize("overwrite", [False, True])  # which runs again what is finished
def test_an_unfinished_run_with_the_same_settings_goes_on(tmp_path, overwrite):
    own = unfinished(tmp_path)
    (tmp_path / "checkpoints" / ".best.ckpt.123.part").write_text("half")
    (tmp_path / "failure.txt").write_text("why")
    with open_run_folder(tmp_path, "a", overwrite) as run:
        assert (run.summary, run.start_from, run.own_checkpoint) == (None, own, True)
        run.start("seed: 0\n")
    assert (tmp_path / "metrics.csv").read_text() == "rows"
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["last.ckpt"]
    assert not (tmp_path / "failure.txt").exists()  # of an attempt that is over
    assert not (tmp_path / "earlier-1").exists()


@pytest.mark.parametrize(("identity", "resume"), [("b", "auto"), ("a", "none")])
def test_one_with_other_settings_or_that_may_not_go_on_is_moved_aside(tmp_path, identity, resume):
    unfinished(tmp_path)
    with open_run_folder(tmp_path, identity, False, resume) as run:
        assert (run.start_from, run.own_checkpoint) == (None, False)
    assert (tmp_path / "earlier-1" / "checkpoints" / "last.ckpt").is_file()


def test_a_damaged_checkpoint_is_named_and_resume_none_gets_past_it(tmp_path):
    own = unfinished(tmp_path)
    own.write_bytes(own.read_bytes()[:100])
    with (
        pytest.raises(UserError, match=r"last\.ckpt .*; resume=none"),
        open_run_folder(tmp_path, "a", False),
    ):
        pytest.fail("opened")
    assert own.is_file()
    with open_run_folder(tmp_path, "a", False, "none") as run:
        assert run.start_from is None


def test_going_on_from_another_run(tmp_path):
    other = unfinished(tmp_path / "other", "b")
    for named in (tmp_path / "other", other):
        with open_run_folder(tmp_path / "run", "a", False, str(named)) as run:
            assert (run.start_from, run.own_checkpoint) == (other, False)
    own = unfinished(tmp_path / "run")
    with open_run_folder(tmp_path / "run", "a", False, "somewhere/gone") as run:  # begun before, from what was there
        assert (run.start_from, run.own_checkpoint) == (own, True)


def test_another_run_that_is_not_there_or_is_this_one(tmp_path):
    (tmp_path / "other").mkdir()
    with pytest.raises(UserError, match=r"other: there is no .*checkpoints/last\.ckpt"):
        open_run_folder(tmp_path / "run", "a", False, str(tmp_path / "other")).__enter__()
    with pytest.raises(UserError, match=r"nowhere: there is no such checkpoint"):
        open_run_folder(tmp_path / "run", "a", False, "nowhere").__enter__()
    own = unfinished(tmp_path / "run", "b")
    for named in (tmp_path / "run", own):
        with pytest.raises(UserError, match="is this run's own folder"):
            open_run_folder(tmp_path / "run", "a", False, str(named)).__enter__()
    assert own.is_file()


def test_a_kill_while_a_run_is_moved_aside_mixes_nothing_up(tmp_path, monkeypatch):
    finish(tmp_path, value=1)
    unfinished(tmp_path)
    moved: list[Path] = []
    real = Path.rename

    def rename(path, target):
        if len(moved) == 2:
            raise KeyboardInterrupt
        moved.append(path)
        return real(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", rename)
        with pytest.raises(KeyboardInterrupt):
            open_run_folder(tmp_path, "a", overwrite=True).__enter__()
    assert len(moved) == 2
    with open_run_folder(tmp_path, "a", overwrite=True) as run:
        assert (run.summary, run.start_from) == (None, None)  # what was left was to be moved too
    assert {path.name for path in (tmp_path / "earlier-1").iterdir()} == {
        *("summary.json", "config.yaml", "metrics.csv", "checkpoints")
    }
    assert not (tmp_path / "earlier-2").exists()


def test_other_ranks_write_nothing(tmp_path):
    run = Run(tmp_path, is_main_process=False)
    run.start("seed: 0\n")
    run.finish(run_summary(epochs=1))
    assert run.summary == run_summary(epochs=1)
    assert list(tmp_path.iterdir()) == []


def test_earlier_runs_may_be_deleted(tmp_path):
    (tmp_path / "earlier-2").mkdir()
    (tmp_path / "metrics.csv").write_text("1")
    with open_run_folder(tmp_path, "a", overwrite=False):
        (tmp_path / "metrics.csv").write_text("2")
    with open_run_folder(tmp_path, "a", overwrite=False):
        pass
    assert (tmp_path / "earlier-1" / "metrics.csv").read_text() == "1"
    assert (tmp_path / "earlier-3" / "metrics.csv").read_text() == "2"
    assert not any((tmp_path / "earlier-2").iterdir())


def test_a_damaged_summary_is_named_and_overwrite_gets_past_it(tmp_path):
    (tmp_path / "summary.json").write_text('{"value": ')
    with (
        pytest.raises(UserError, match=r"summary\.json: damaged summary.*overwrite=true"),
        open_run_folder(tmp_path, "a", False),
    ):
        pytest.fail("opened")
    finish(tmp_path, overwrite=True)
    assert (tmp_path / "earlier-1" / "summary.json").read_text() == '{"value": '


def test_a_summary_of_something_else_is_not_ours_to_run_over(tmp_path):
    (tmp_path / "summary.json").write_text("[1, 2]")
    with pytest.raises(UserError, match="overwrite=true"), open_run_folder(tmp_path, "a", overwrite=False):
        pytest.fail("opened")


def hold(folder, ready, done):
    with open_run_folder(folder, "a", overwrite=False):
        ready.set()
        done.wait(600)


def test_two_jobs_never_share_a_folder(tmp_path):
    context = multiprocessing.get_context("fork")
    ready, done = context.Event(), context.Event()
    other = context.Process(target=hold, args=(tmp_path, ready, done))
    other.start()
    try:
        assert ready.wait(600)
        with pytest.raises(UserError, match="in use by another"), open_run_folder(tmp_path, "a", overwrite=False):
            pytest.fail("opened")
    finally:
        done.set()
        other.join()
    finish(tmp_path)  # the lock went with its holder


def attempt(folder: Path, ended: BaseException, *left: str, overwrite: bool = False) -> None:
    """A run that ends so, after it has left these files."""
    with open_run_folder(folder, "b", overwrite) as run:
        run.start("seed: 1\n")
        for name in left:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("kept")
        raise ended


@pytest.mark.parametrize("ended", [UserError("refused"), KeyboardInterrupt()])
def test_an_attempt_that_trained_nothing_leaves_no_folder(tmp_path, ended):
    folder = tmp_path / "study" / "run"
    with pytest.raises(type(ended)):
        attempt(folder, ended, "provenance/packages.txt", "wandb/offline-run/files")
    assert not folder.exists()
    finish(folder)


@pytest.mark.parametrize("name", ["checkpoints/last.ckpt", "metrics.csv", "failure.txt", "bad_batch-rank1.json"])
def test_one_that_has_anything_to_show_leaves_all_of_it(tmp_path, name):
    with pytest.raises(UserError):
        attempt(tmp_path, UserError("too late"), name)
    assert (tmp_path / name).read_text() == "kept"
    assert (tmp_path / "config.yaml").is_file()


def test_what_was_moved_aside_for_an_attempt_that_trained_nothing_comes_back(tmp_path):
    """A finished run that overwrite=true was to run again, with an earlier one inside."""
    finish(tmp_path, value=1)
    finish(tmp_path, overwrite=True, value=2)
    before = {path.relative_to(tmp_path): path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}
    with pytest.raises(UserError):
        attempt(tmp_path, UserError("refused"), overwrite=True)
    after = {path.relative_to(tmp_path): path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}
    assert after == before


def test_a_folder_that_its_holder_takes_away_is_not_held_by_who_opened_it_before(tmp_path, monkeypatch):
    folder = tmp_path / "run"
    real = fcntl.flock

    def removed_first(*arguments: Any) -> None:
        shutil.rmtree(folder)
        real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", removed_first)
        with pytest.raises(UserError, match="just left by another fbm: try again"), open_run_folder(folder, "a", False):
            pytest.fail("opened")
    finish(folder)


def test_a_failing_job_leaves_no_summary(tmp_path):
    with pytest.raises(ZeroDivisionError), open_run_folder(tmp_path, "a", overwrite=False) as run:
        run.start(str(1 / 0))
    with open_run_folder(tmp_path, "a", overwrite=False) as again:
        assert again.summary is None
