"""Progress in lines, for logs."""

import time

import pytest

from fbm.utils.progress import progress, progress_lines

LINE = "shard 0 of 2: 1,000 of 2,000 videos, 25.0 videos/s, 40 s left"


@pytest.mark.parametrize(
    ("shown", "lines"),
    [(progress, [LINE, "shard 0 of 2: 2,000 videos in 1 min 30 s"]), (progress_lines, [LINE])],  # there is no terminal
)
def test_a_line_now_and_then(shown, lines, capsys, monkeypatch):
    clock = iter([0.0, 0.0, 10.0, 40.0, 50.0, 90.0, 90.0][shown is progress_lines :])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    with shown("shard 0 of 2", 2000, "videos") as advance:
        for count in (100, 900, 500, 500):
            advance(count)
    assert capsys.readouterr().err.splitlines() == lines


def test_a_bar_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes it for a terminal
    with progress("runs on versions", 2, "clips") as advance:
        advance(2)
    assert "2/2" in capsys.readouterr().err


def test_no_work_is_not_shown(capsys):
    with progress("runs", 0, "runs") as advance:
        advance()
    assert capsys.readouterr().err == ""


def test_slow_work_has_no_rate(capsys, monkeypatch):
    clock = iter([0.0, 100.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    with progress_lines("runs", 4, "runs") as advance:
        advance()
    assert capsys.readouterr().err == "runs: 1 of 4 runs, 5 min 0 s left\n"
