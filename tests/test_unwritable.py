"""Output folders and disks that do not let themselves be written: one line, whatever the command; it can be gone on."""

import errno
import os
from pathlib import Path

import pytest
import torch

from fbm.utils.files import describe_write_error
from fbm.utils.messages import user_message
from tests.disks import disk, fill
from tests.study.conftest import study
from tests.tiny import fbm, make_store, only_error, settings
from tests.training.interrupted import Moment, assert_same, end_at

__all__ = ["disk", "study"]  # the fixtures


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "out.csv cannot be written: No space left on device"),
        (errno.EROFS, "out.csv cannot be written: Read-only file system"),
        (errno.EFBIG, "out.csv cannot be written: File too large"),
        (errno.ENOENT, None),
    ],
)
def test_what_a_user_can_mend_is_told_apart(number, said):
    error = OSError(number, os.strerror(number), "out.csv")
    line = describe_write_error(error)
    assert line == user_message(error)
    assert line is None if said is None else str(line).startswith(said)


@pytest.fixture
def full(monkeypatch):
    """A disk that is full for everything written whole: summaries, configs, study.json."""

    def write(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for module in ("fbm.runs.folder", "fbm.study.plan", "fbm.training.failures", "fbm.training.loggers.wandb"):
        monkeypatch.setattr(f"{module}.write_text", write)


def test_a_run_on_a_full_disk_is_one_line(tmp_path, monkeypatch, capsys, full):
    monkeypatch.chdir(tmp_path)
    assert fbm("train", *settings(make_store(tmp_path / "store"))) == 1
    assert "cannot be written: No space left on device" in only_error(capsys.readouterr().err.splitlines()[-1])


def test_a_study_on_a_full_disk_is_one_line(study, capsys, full):
    assert fbm("study", ".") == 1
    # What it is about to do is told first, on the same stream.
    assert "cannot be written: No space left on device" in only_error(capsys.readouterr().err.splitlines()[-1])


@pytest.mark.slow
def test_runs_of_a_study_on_a_disk_that_fills_up_are_named(study, capsys, monkeypatch, full):
    monkeypatch.setattr("fbm.study.plan.write_text", lambda *_: None)
    assert fbm("study", ".", "classify.over.init=[random]", "classify.over.seed=[0,1,2]") == 1
    captured = capsys.readouterr()
    failed = [line for line in captured.out.splitlines() if line.startswith("failed: ")]
    assert len(failed) == 3
    assert all("No space left on device" in line for line in failed)
    assert "OSError" not in captured.err


# The loss falls: the first epoch stays the one that is kept, and later ones write no best.ckpt.
THREE_EPOCHS = ("trainer.max_epochs=3", "monitor.mode=max", "callbacks.last.minutes=null", "name=run")


@pytest.fixture(scope="module")
def alone(store, tmp_path_factory):
    """A run of three epochs that nothing disturbed."""
    run = tmp_path_factory.mktemp("alone") / "run"
    assert fbm("train", *settings(store, *THREE_EPOCHS, f"run_dir={run}")) == 0
    return run


@pytest.mark.parametrize(
    ("moment", "named", "goes_on"),
    [
        (Moment("on_train_epoch_start", 2), "checkpoints/last.ckpt", "resumes after epoch 1"),
        (Moment("on_train_epoch_end", 1), "metrics.csv", "resumes after epoch 1"),
        (Moment("on_train_epoch_start", 1), "checkpoints/best.ckpt", ""),
    ],
    ids=lambda value: str(value).rpartition("/")[2],
)
def test_a_disk_that_fills_in_the_middle_keeps_what_was_whole_and_the_run_goes_on(
    store, disk, alone, tmp_path, monkeypatch, capsys, moment, named, goes_on
):
    folder = disk("size=16m")
    run = folder / "run"
    command = ["train", *settings(store, *THREE_EPOCHS, f"run_dir={run}")]
    with monkeypatch.context() as patch:
        patch.setattr(
            "fbm.training.callbacks.Gallery._draw", lambda *_: None
        )  # its pictures would be the first to fail
        end_at(patch, moment, how=lambda: fill(folder))
        capsys.readouterr()
        assert fbm(*command) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert only_error(said).startswith(f"{run / named} cannot be written: No space left on device")
    assert not list(run.rglob("*.part"))
    for path in run.rglob("*.ckpt"):
        torch.load(path, weights_only=True)
    (folder / "filler").unlink()
    assert fbm(*command) == 0
    assert goes_on in capsys.readouterr().out
    assert_same(run, alone)


def test_a_read_only_folder_is_one_line_and_nothing_is_begun(store, disk, tmp_path, capsys):
    folder = disk("size=16m")
    (folder / "outputs").mkdir()
    disk("ro")
    command = ["train", *settings(store, f"run_dir={folder}/outputs/run")]
    assert fbm(*command) == 1
    said = only_error(capsys.readouterr().err)
    assert "Read-only file system" in said
    assert str(folder / "outputs") in said
    disk("rw")
    assert fbm(*command) == 0
    assert (Path(folder) / "outputs" / "run" / "summary.json").is_file()
