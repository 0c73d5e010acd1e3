"""Output folders and disks that do not let themselves be written: one line, whatever the command."""

import errno
import os

import pytest

from fbm.files import unwritable
from fbm.launch import mendable
from tests.study.conftest import study
from tests.tiny import fbm, make_store, only_error, settings

__all__ = ["study"]  # the fixture


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "out.csv cannot be written: No space left on device; what was whole before still is"),
        (errno.EROFS, "out.csv cannot be written: Read-only file system; what was whole before still is"),
        (errno.ENOENT, None),
    ],
)
def test_what_a_user_can_mend_is_told_apart(number, said):
    error = OSError(number, os.strerror(number), "out.csv")
    assert unwritable(error) == mendable(error) == said


@pytest.fixture
def full(monkeypatch):
    """A disk that is full for everything written whole: summaries, configs, study.json."""

    def write(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for module in ("fbm.run_folder", "fbm.study.plan", "fbm.train", "fbm.loggers.wandb"):
        monkeypatch.setattr(f"{module}.write_text", write)


def test_a_run_on_a_full_disk_is_one_line(tmp_path, monkeypatch, capsys, full):
    monkeypatch.chdir(tmp_path)
    assert fbm("train", *settings(make_store(tmp_path / "store"))) == 1
    assert "cannot be written: No space left on device" in only_error(capsys.readouterr().err.splitlines()[-1])


def test_a_study_on_a_full_disk_is_one_line(study, capsys, full):
    assert fbm("study", ".") == 1
    assert "cannot be written: No space left on device" in only_error(capsys.readouterr().err)


@pytest.mark.slow
def test_runs_of_a_study_on_a_disk_that_fills_up_are_named(study, capsys, monkeypatch, full):
    monkeypatch.setattr("fbm.study.plan.write_text", lambda *_: None)
    assert fbm("study", ".", "classify.over.init=[random]", "classify.over.seed=[0]") == 1
    captured = capsys.readouterr()
    failed = [line for line in captured.out.splitlines() if line.startswith("failed: ")]
    assert len(failed) == 3
    assert all("No space left on device" in line for line in failed)
    assert "OSError" not in captured.err
