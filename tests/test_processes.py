"""A fork of the server is what a new process would be: exit status, signals, streams, folder, arguments, session."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests import processes
from tests.processes import PYTHON

ASK = """
import json, os, sys
print(json.dumps([sys.argv, os.getcwd(), os.environ.get("MARK"), os.getppid(), os.getsid(0) == os.getpid()]))
sys.stderr.write("an error")
sys.exit(3)
"""


def test_it_has_what_was_asked_for(tmp_path):
    environ = {**os.environ, "MARK": "1"}
    command = [PYTHON, "-c", ASK, "a", "b c"]
    done = processes.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, start_new_session=True)
    assert json.loads(done.stdout) == [["-c", "a", "b c"], str(tmp_path), "1", os.getpid(), True]
    assert (done.returncode, done.stderr) == (3, "an error")


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it(signum):
    code = "import time; print('here', flush=True); time.sleep(600)"
    with processes.Popen([PYTHON, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert b"time.sleep(600)" in Path(f"/proc/{process.pid}/cmdline").read_bytes()
        process.send_signal(signum)
    assert process.returncode == -signum


LEAVE = """
import atexit, sys, threading
def wait():
    threading.main_thread().join()
    print("thread")
threading.Thread(target=wait).start()
atexit.register(print, "exit function")
print("code")
"""


@pytest.mark.parametrize(
    ("last", "status", "error"),
    [
        ("", 0, ""),
        ("sys.exit()", 0, ""),
        ("sys.exit(258)", 2, ""),
        ("sys.exit(-1)", 255, ""),
        ("sys.exit('why')", 1, "why"),
        ("raise ValueError('why')", 1, "ValueError: why"),
    ],
)
def test_it_ends_as_an_interpreter_does(last, status, error):
    done = processes.run([PYTHON, "-c", LEAVE + last], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (status, "code\nthread\nexit function\n")
    assert "".join(done.stderr.splitlines()[-1:]) == error


def test_output_that_nobody_reads_is_an_error():
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = processes.run([PYTHON, "-c", "print('code')"], stdout=writing, stderr=subprocess.PIPE)
    finally:
        os.close(writing)
    assert done.returncode == 120
    assert b"BrokenPipeError" in done.stderr


def test_a_fast_test_may_start_none(monkeypatch):
    monkeypatch.setattr(processes, "allowed", False)
    with pytest.raises(pytest.fail.Exception, match=r"mark it with pytest\.mark\.slow"):
        processes.run([PYTHON, "-c", ""])
