"""What is left of a command whose process was killed: nothing, by itself."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fbm.data.store.journal import JOURNAL
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.slow

PREPARE = """
import sys
from pathlib import Path
from fbm.data.store.preparation import Preparation
from fbm.data.store.prepare import prepare
from fbm.data.datasets.ucf101 import UCF101
from tests.data.failing_masks import ChosenMasks, Hanging

root, store, name = sys.argv[1:]
given = Preparation(UCF101(Path(root)), ChosenMasks({name: Hanging()}), "boxes", Path(store), 32, 2, 600)
prepare(given)
"""
DEMO = """
import sys
from fbm.data.demo import make_demo

make_demo(sys.argv[1], groups=20, frames=300, workers=2)
"""


def children(pid):
    """Processes whose parent this is."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it ended meanwhile
            continue
        if parent == pid:
            found.append(int(stat.parent.name))
    return found


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def all_end(pids):
    """Whether all end by themselves; those that do not are ended here."""
    try:
        return eventually(lambda: not any(map(alive, pids)), 600)
    finally:
        for pid in filter(alive, pids):
            os.kill(pid, signal.SIGKILL)


def eventually(condition, seconds):
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def kill_when(ready, code, *arguments):
    """Run `code`, kill its process alone when `ready`; gives what its children were."""
    path = os.pathsep.join((str(REPOSITORY), os.environ.get("PYTHONPATH", "")))
    with subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            assert eventually(lambda: ready() or process.poll() is not None, 600)
            assert process.poll() is None  # it has not ended by itself
            return children(process.pid)
        finally:
            process.kill()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_no_child_goes_on_with_a_preparation_that_was_killed(small_root, tmp_path):
    store = tmp_path / "store"

    def hanging():
        return (store / JOURNAL).is_file() and len((store / JOURNAL).read_text().splitlines()) == 3

    workers = kill_when(hanging, PREPARE, small_root.path, store, small_root.names[1])
    assert len(workers) >= 2
    assert all_end(workers)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_no_child_goes_on_with_a_demo_set_whose_making_was_killed(tmp_path):
    root = tmp_path / "demo"
    workers = kill_when(lambda: any(root.glob("UCF-101/*/*.avi")), DEMO, root)
    assert len(workers) >= 2
    assert all_end(workers)


QUICK = """
from fbm.utils.process import in_processes

if __name__ == "__main__":
    with in_processes(abs, [(number, (number,), 60) for number in range(12)], 12) as done:
        print(sum(answer() for _, answer in done))
"""


def test_children_that_are_still_starting_end_without_a_word(tmp_path):
    script = tmp_path / "quick.py"
    script.write_text(QUICK)
    path = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, env=path, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "66\n", "")
