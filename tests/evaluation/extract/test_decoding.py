import os
import time
from contextlib import closing
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from fbm.data.decoding.pyav import decode
from fbm.evaluation.extract import decoding
from fbm.evaluation.extract.decoding import Ended, Failed, Frames, Message, decoded
from tests.evaluation.extract.videos import make_video, moody, only_hanging_takes_time

pytestmark = pytest.mark.slow


def by_video(messages):
    """Frames, frames per second and reason of each video; what comes of it has to come last."""
    frames: dict[int, list[np.ndarray]] = {}
    ends: dict[int, Message] = {}
    for message in messages:
        assert message.video not in ends
        if isinstance(message, Frames):
            frames.setdefault(message.video, []).append(message.frames)
        else:
            ends[message.video] = message
    return {video: np.concatenate(parts) for video, parts in frames.items()}, ends


def test_frames_of_many_files_come_whole_and_in_order(tmp_path):
    paths = [make_video(tmp_path / f"{n}.avi", length, fps=10 + n, seed=n) for n, length in enumerate((70, 3, 20))]
    (tmp_path / "no.avi").write_text("no video")
    frames, ends = by_video(
        decoded([*paths, tmp_path / "no.avi", tmp_path / "gone.avi"], 32, workers=2, timeout=600, decoder="pyav")
    )
    for number, path in enumerate(paths):
        assert np.array_equal(frames[number], np.concatenate(list(decode(path, 32))))
        assert ends[number] == Ended(number, 10.0 + number)
    assert ends[3] == Failed(3, "not a video that can be opened: Invalid data found when processing input")
    assert ends[4] == Failed(4, f"no such file: {tmp_path / 'gone.avi'}")


def test_a_decoder_that_hangs_or_dies_is_replaced(tmp_path, monkeypatch):
    monkeypatch.setattr(decoding, "worker_main", moody)
    paths = [make_video(tmp_path / f"{name}.avi", 3) for name in ("hangs", "a", "dies", "b")]
    only_hanging_takes_time(monkeypatch, tmp_path)
    frames, ends = by_video(decoded(paths, 32, workers=1, timeout=6, decoder="pyav"))
    assert ends[0] == Failed(0, "no frame decoded within 6 s")
    assert ends[2] == Failed(2, "the decoder crashed")
    assert isinstance(ends[1], Ended)
    assert isinstance(ends[3], Ended)
    assert len(frames[1]) == len(frames[3]) == 3


def test_a_slow_reader_is_not_taken_for_a_hanging_decoder(tmp_path, monkeypatch):
    """On a clock that the reader alone moves, and every decoder's message is there: whatever the machine's speed."""

    def all_of(connections: list[Connection], _: float) -> list[object]:
        while len(ready := wait(connections, 60)) < len(connections):
            time.sleep(0.01)
        return list(ready)

    now = [0.0]
    monkeypatch.setattr(decoding, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(decoding, "wait", all_of)
    paths = [make_video(tmp_path / f"{name}.avi", 60) for name in "ab"]
    ends = {}
    for message in decoded(paths, 32, workers=2, timeout=15, decoder="pyav"):
        now[0] += 20
        ends[message.video] = message
    assert [type(ends[number]) for number in (0, 1)] == [Ended, Ended]


def test_closing_it_leaves_no_process(tmp_path):
    path = make_video(tmp_path / "a.avi", 200)
    with closing(decoded([path, path], 32, workers=2, timeout=600, decoder="pyav")) as messages:
        next(messages)
        assert children()
    assert not children()


def children() -> list[str]:
    return [pid for task in Path(f"/proc/{os.getpid()}/task").iterdir() for pid in running(task)]


def running(task: Path) -> list[str]:
    """Child processes of this module's making; multiprocessing keeps a helper of its own."""
    pids = (task / "children").read_text().split()
    return [pid for pid in pids if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
