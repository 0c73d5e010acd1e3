"""The real command as a process group of its own, which can be killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass
class Attempt:
    """A started command; what it prints is in `said`."""

    process: "subprocess.Popen[bytes]"
    said: Path

    def kill(self, alone: bool) -> None:
        """With SIGKILL: the process `alone`, or its whole group at once."""
        if alone:
            self.process.kill()
        else:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def left_after(self, seconds: float) -> list[int]:
        """Processes of the group that still run so long after it was killed; they are ended here."""
        until = time.monotonic() + seconds
        while (left := members(self.process.pid)) and time.monotonic() < until:
            time.sleep(0.02)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        return left


def start(arguments: Sequence[str], folder: Path) -> Attempt:
    """Start `fbm ARGUMENTS` in a folder."""
    said = folder / "said.txt"
    paths = os.pathsep.join((str(HERE), os.environ.get("PYTHONPATH", "")))
    with said.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "fbm", *arguments],
            **{"cwd": folder, "stdout": file, "stderr": subprocess.STDOUT, "stdin": subprocess.DEVNULL},
            env={**os.environ, "PYTHONPATH": paths},
            start_new_session=True,
        )
    return Attempt(process, said)


def members(group: int) -> list[int]:
    """Processes of a group that run; what has ended and only waits to be asked how is not one."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, of = path.read_text().rpartition(")")[2].split()[:3]
        except OSError:  # it ended meanwhile
            continue
        if int(of) == group and state != "Z":
            found.append(int(path.parent.name))
    return found
