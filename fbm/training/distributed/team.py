"""The rank processes of one machine (or one of them): started, watched, and never left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from fbm.training.distributed.job import ControlStore, RankFailure

PARENT_PIPE_ENV = "FBM_LIFELINE"  # the number of a pipe that is closed when whoever started the rank is gone
COMMAND = (sys.executable, "-m", "fbm.training.distributed.rank")
# Another launcher's words: a rank would take itself for a part of that one's world.
FOREIGN_ENV_PREFIXES = ("TORCHELASTIC_", "SLURM_NTASKS", "SLURM_PROCID", "SLURM_LOCALID", "GROUP_", "ROLE_")


@dataclass(frozen=True)
class RankInfo:
    """A rank: its number among all, its machine, and its number on that machine."""

    rank: int
    node: int
    local: int


class WorkerGroup:
    """Ranks as child processes, each with all it may start in a session of its own.

    Args:
        places: the ranks to start.
        per_node, ranks: on each machine, and on all.
        job: where they meet.
        logs: folder for what ranks other than 0 print.
    """

    def __init__(self, places: Sequence[RankInfo], per_node: int, ranks: int, job: ControlStore, logs: Path) -> None:
        self.job, self.per_node, self.ranks = job, per_node, ranks
        self.killed = False  # by us
        logs.mkdir(parents=True, exist_ok=True)
        self.ours, self.theirs = os.pipe()
        self.processes: dict[int, subprocess.Popen[Any]] = {}
        try:
            for place in places:
                self.processes[place.rank] = self._start(place, logs)
        except BaseException:
            self.kill()
            raise

    def _start(self, place: RankInfo, logs: Path) -> "subprocess.Popen[Any]":
        # In the same folder, with the same import path: what a config names must be found there too.
        foreign = {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN_ENV_PREFIXES)}
        environ = foreign | {
            **{"RANK": str(place.rank), "LOCAL_RANK": str(place.local), "NODE_RANK": str(place.node)},
            **{"WORLD_SIZE": str(self.ranks), "LOCAL_WORLD_SIZE": str(self.per_node)},
            **{"MASTER_ADDR": self.job.address, "MASTER_PORT": str(self.job.port)},
            "TORCHELASTIC_USE_AGENT_STORE": "True",  # torch's word for: the store is there, host none
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            PARENT_PIPE_ENV: str(self.ours),
        }
        given: dict[str, Any] = {"env": environ, "stdin": subprocess.DEVNULL, "pass_fds": (self.ours,)}
        start = partial(subprocess.Popen, COMMAND, start_new_session=True, **given)
        if place.rank == 0:
            return start()
        with (logs / f"rank{place.rank}.log").open("ab") as log:
            return start(stdout=log, stderr=subprocess.STDOUT)

    @property
    def running(self) -> bool:
        """Whether any rank still is."""
        return any(process.poll() is None for process in self.processes.values())

    @property
    def failing(self) -> bool:
        """Whether a rank has ended otherwise than well or by a signal's request."""
        return any(self._bad(rank, process.poll()) for rank, process in self.processes.items())

    @property
    def leaving(self) -> bool:
        """Whether a rank has ended as a signal asked."""
        return any((process.poll() or 0) > 128 for process in self.processes.values())

    def _bad(self, rank: int, code: int | None) -> bool:
        return code is not None and (code < 0 or 0 < code <= 128)

    def send(self, signum: int) -> None:
        """Hand a signal on to the ranks themselves, not to what they started."""
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signum)

    def kill(self) -> None:
        """End every rank and all that it started, now; wait for that."""
        self.killed = self.running
        for process in self.processes.values():
            with suppress(ProcessLookupError):  # it and all it started are gone
                os.killpg(process.pid, signal.SIGKILL)
        for process in self.processes.values():
            process.wait()
        for end in (self.ours, self.theirs):
            with suppress(OSError):
                os.close(end)

    def report_exit_codes(self) -> None:
        """Report for those that could not do it themselves."""
        for rank, process in self.processes.items():
            code = process.poll()
            if code is None or not self._bad(rank, code) or (self.killed and code == -signal.SIGKILL):
                continue
            self.job.report(RankFailure(rank, *_death(code)))

    def over(self, patience: float) -> bool:
        """Wait so many seconds for the end of all; whether it came."""
        until = time.monotonic() + patience
        while self.running and time.monotonic() < until:
            time.sleep(0.05)
        return not self.running


def _death(code: int) -> tuple[str, str]:
    """Kind and line for an exit status without a word."""
    if code > 0:
        return "died", f"ended with exit status {code} and said nothing"
    name = signal.Signals(-code).name
    if name == "SIGABRT":  # as NCCL ends a rank whose peer is gone
        return "lost", "was aborted"
    why = ", as the system does when memory runs out" if name == "SIGKILL" else ""
    return "died", f"was killed by {name}{why}"
