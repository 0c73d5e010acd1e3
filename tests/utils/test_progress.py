"""Progress in lines, for logs."""

import time

from fbm.utils.progress import progress_lines


def test_a_line_now_and_then_and_none_at_the_end(capsys, monkeypatch):
    clock = iter([0.0, 10.0, 40.0, 50.0, 90.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    with progress_lines("shard 0 of 2", 2000, "videos") as advance:
        for count in (100, 900, 500, 500):
            advance(count)
    assert capsys.readouterr().err.splitlines() == ["shard 0 of 2: 1,000 of 2,000 videos, 25.0 videos/s, 40 s left"]
