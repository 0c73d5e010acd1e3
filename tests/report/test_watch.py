"""`fbm report --watch`: the page follows runs in progress."""

import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fbm.report.watch import watch
from fbm.utils.errors import UserError
from fbm.utils.files import exclusive_lock
from tests.report.fake import declare, fake_run
from tests.tiny import fbm, only_error

RELOADS = '<meta http-equiv="refresh" content="7">'


@pytest.fixture
def study(tmp_path) -> Path:
    """A pretraining that is not finished, 3 of 5 epochs done, and two classifications that are not started."""
    made = tmp_path / "demo"
    fake_run(made, task="disentangle", init=None, name="pre", finished=False, extra={"trainer": {"max_epochs": 5}})
    jobs = [{"folder": "pre", "stage": "pretrain", "label": "ours"}, {"folder": "random"}, {"folder": "ours"}]
    return declare(made, *jobs)


def finish(study: Path, name: str, **more) -> None:
    shutil.rmtree(study / name, ignore_errors=True)
    fake_run(study, name=name, **more)


def instead_of_sleeping(monkeypatch, *steps: Callable[[], object]) -> list[str]:
    """Take the next step whenever the watch sleeps; gives a list that is filled with the pages seen."""
    pages: list[str] = []
    left = iter(steps)

    def sleep(seconds: float) -> None:
        assert seconds == 7
        page = next(Path.cwd().glob("report/index.html"), None)
        pages.append(page.read_text() if page else "")
        next(left)()

    monkeypatch.setattr(time, "sleep", sleep)
    return pages


def test_the_page_follows_the_runs_and_stops_reloading_at_the_end(study, monkeypatch, capsys):
    monkeypatch.chdir(study)
    pages = instead_of_sleeping(
        monkeypatch,
        lambda: finish(study, "pre", task="disentangle", init=None),
        lambda: finish(study, "random"),
        lambda: None,
        lambda: finish(study, "ours", init="ours", clip=0.75),
    )
    assert fbm("report", str(study), "--watch", "7") == 0
    assert all(RELOADS in page and "Renews itself every 7 s; last: " in page for page in pages)
    assert "missing: pre (pretrain ours), unfinished, 3 of 5 epochs" in pages[0]
    assert "No classification is finished yet." in pages[0]
    assert "0 of 3 runs are finished, 0 running" in pages[0]
    assert "1 of 3 runs are finished" in pages[1]
    assert "No classification is finished yet." in pages[1]
    assert "Table 1" in pages[2]
    assert "missing: ours (classify random), not started" in pages[2]
    assert pages[3] == pages[2]
    final = (study / "report" / "index.html").read_text()
    assert "refresh" not in final
    assert "Renews itself" not in final
    assert "75.0" in final
    assert sorted(file.name for file in (study / "report").iterdir() if file.name.startswith(".")) == []
    said = capsys.readouterr().out
    assert "report/index.html: renews itself every 7 s; Ctrl-C ends this" in said
    assert said.count(" runs are finished") == 3  # nothing where nothing has changed
    assert "75.0" in said  # the table, at the end


def test_a_running_run_is_shown_with_its_epochs(study, monkeypatch):
    monkeypatch.chdir(study)
    pages = instead_of_sleeping(monkeypatch, stop)
    with exclusive_lock(study / "pre", "the run folder"), pytest.raises(KeyboardInterrupt):
        watch([study], study / "report", "", 7)
    assert "0 of 3 runs are finished, 1 running" in pages[0]
    assert "missing: pre (pretrain ours), running, 3 of 5 epochs" in pages[0]


def test_ctrl_c_leaves_a_page_that_does_not_reload_itself(study, monkeypatch, capsys):
    monkeypatch.chdir(study)
    pages = instead_of_sleeping(monkeypatch, stop)
    assert fbm("report", str(study), "--watch", "7") == 128 + signal.SIGINT
    assert RELOADS in pages[0]
    assert "refresh" not in (study / "report" / "index.html").read_text()
    assert only_error(capsys.readouterr().err) == "interrupted; what is done is kept"


def stop() -> None:
    raise KeyboardInterrupt


def test_a_study_without_a_classification_ends_with_a_list_of_its_runs(tmp_path, monkeypatch, capsys):
    study = tmp_path / "demo"
    finish(study, "pre", task="disentangle", init=None)
    assert fbm("report", str(study), "--watch") == 0
    assert "no classification among the runs" in capsys.readouterr().out
    assert "<title>demo</title>" in (study / "report" / "index.html").read_text()


@pytest.mark.parametrize("words", [["--watch", "outputs/demo"], ["outputs/demo", "--watch", "0"]])
def test_seconds_are_a_number(words, capsys):
    assert fbm("report", *words) == 1
    assert "is not a whole number of seconds above 0; PATH goes before --watch" in only_error(capsys.readouterr().err)


def test_a_folder_without_runs_is_refused_at_once(tmp_path):
    with pytest.raises(UserError, match="no run found"):
        watch([tmp_path], tmp_path / "report", "", 7)
