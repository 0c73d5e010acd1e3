"""The ranks that one process starts, as child processes."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

from fbm.training.distributed.control_store import ControlStore
from fbm.training.distributed.failures import RankFailure, failure_from_exit_code
from fbm.training.distributed.parent import PARENT_PIPE_ENV
from fbm.training.distributed.topology import Topology

COMMAND = (sys.executable, "-m", "fbm.training.distributed.rank")
# Other launchers' variables: Lightning or fbm would take a rank for a process of theirs.
FOREIGN_ENV_PREFIXES = ("TORCHELASTIC_", "SLURM_NTASKS", "SLURM_PROCID", "SLURM_LOCALID", "GROUP_", "ROLE_")


class WorkerGroup:
    """Rank processes; each leads a session, to which everything that it starts belongs.

    Args:
        ranks: the ranks to start.
        topology: of the whole job.
        store: the job's.
        log_dir: folder for `rankN.log`, the output of all ranks but rank 0, which writes to this process's own.
    """

    def __init__(self, ranks: Sequence[int], topology: Topology, store: ControlStore, log_dir: Path) -> None:
        self.topology = topology
        self.store = store
        self.killed = False  # whether `kill` ended ranks that were running
        log_dir.mkdir(parents=True, exist_ok=True)
        self.rank_pipe, self.parent_pipe = os.pipe()
        self.processes: dict[int, subprocess.Popen[Any]] = {}
        try:
            for rank in ranks:
                self.processes[rank] = self._start(rank, log_dir / f"rank{rank}.log")
        except BaseException:
            self.kill()
            raise

    def _start(self, rank: int, log: Path) -> "subprocess.Popen[Any]":
        with log.open("ab") if rank else nullcontext() as output:
            return subprocess.Popen(
                COMMAND,
                env=self._environment(rank),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT if output else None,
                pass_fds=(self.rank_pipe,),
                start_new_session=True,
            )

    def _environment(self, rank: int) -> dict[str, str]:
        node, local_rank = divmod(rank, self.topology.per_node)
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN_ENV_PREFIXES)}
        return inherited | {
            "RANK": str(rank),
            "LOCAL_RANK": str(local_rank),
            "NODE_RANK": str(node),
            "WORLD_SIZE": str(self.topology.world_size),
            "LOCAL_WORLD_SIZE": str(self.topology.per_node),
            "MASTER_ADDR": self.store.address,
            "MASTER_PORT": str(self.store.port),
            "TORCHELASTIC_USE_AGENT_STORE": "True",  # torch: connect to the store that is there, do not host one
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),  # for modules that the config names
            PARENT_PIPE_ENV: str(self.rank_pipe),
        }

    @property
    def running(self) -> bool:
        """Whether any rank is running."""
        return any(process.poll() is None for process in self.processes.values())

    @property
    def stopping(self) -> bool:
        """Whether a rank has ended on a signal's request, with exit status 128 + N."""
        return any((process.poll() or 0) > 128 for process in self.processes.values())

    def failures(self) -> list[RankFailure]:
        """Of the ranks that have failed by themselves, by their exit codes."""
        codes = {rank: process.poll() or 0 for rank, process in self.processes.items()}
        return [
            failure_from_exit_code(rank, code)
            for rank, code in codes.items()
            if code < 0 or 0 < code <= 128
            if not (self.killed and code == -signal.SIGKILL)
        ]

    def send(self, signum: int) -> None:
        """Send a signal to the ranks, but not to the processes that they started."""
        for process in self.processes.values():
            process.send_signal(signum)  # does nothing where it has ended

    def kill(self) -> None:
        """End all ranks and all processes that they started, at once, and wait for the ranks."""
        self.killed = self.running
        for process in self.processes.values():
            with suppress(ProcessLookupError):  # the whole session has ended
                os.killpg(process.pid, signal.SIGKILL)
        for process in self.processes.values():
            process.wait()
        for end in (self.rank_pipe, self.parent_pipe):
            with suppress(OSError):
                os.close(end)
