"""Launching processes that torchrun, srun or a person started together: process 0 leads, the others follow.

Only the leader runs Hydra and holds run folders. For each job it asks the others to start their ranks. So a sweep, also
an adaptive one, runs once, and a job that fails ends its own ranks; the sweep continues.
"""

import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from torch.distributed import DistError

from fbm.training.distributed.control_store import ControlStore
from fbm.training.distributed.supervisor import Supervisor
from fbm.training.distributed.topology import LauncherEnv, Topology, detect_launcher
from fbm.training.distributed.worker_group import WorkerGroup
from fbm.utils.errors import UserError

# All in seconds.
JOIN_TIMEOUT = 300.0  # for all processes to join
NOTICE_AFTER = 10.0  # until a message names the process that is waited for
SHUTDOWN_TIMEOUT = 10.0  # for a follower to acknowledge the end


@dataclass(frozen=True)
class LaunchRequest:
    """What the leader asks every process, itself too: start your ranks of this job.

    Attributes:
        address, port: of the job's store.
        per_node, nodes: of the job's topology.
        log_dir: folder for the ranks' output.
    """

    address: str
    port: int
    per_node: int
    nodes: int
    log_dir: str

    def run_ranks(self, env: LauncherEnv, store: ControlStore) -> Supervisor:
        """Start this process's ranks and wait for their end; errors are those of `Supervisor.wait`."""
        topology = Topology(self.per_node, self.nodes)
        group = WorkerGroup(env.ranks(topology), topology, store, Path(self.log_dir))
        supervisor = Supervisor(group, store, env.index, env.groups(topology))
        supervisor.wait()
        return supervisor


class Coordinator:
    """The leader's side.

    Args:
        env: this process.
        launch_fingerprint: identifies what was started; the same in all processes.

    Raises:
        UserError: the address cannot be bound.
    """

    def __init__(self, env: LauncherEnv, launch_fingerprint: str) -> None:
        self.env = env
        self.launch_fingerprint = launch_fingerprint
        self.requests = 0
        self.joined = 1  # processes, this one included
        self.store = _connect(env)

    def request(self, request: LaunchRequest, groups: int) -> None:
        """Have all processes up to `groups` start their ranks.

        Raises:
            UserError: one does not join, or was started with other settings.
        """
        while self.joined < groups:
            self._wait_for(self.joined, groups)
            self.joined += 1
        self._send(asdict(request))

    def shutdown(self, exit_status: int) -> None:
        """Let the other processes end, with this exit status."""
        self._send({"exit_status": exit_status})
        for process in range(1, self.env.processes or self.joined):
            self.store.poll(f"bye/{process}", SHUTDOWN_TIMEOUT)

    def _send(self, message: dict[str, object]) -> None:
        self.store.set(f"request/{self.requests}", json.dumps(message))
        self.requests += 1

    def _wait_for(self, process: int, groups: int) -> None:
        key, address = f"joined/{process}", f"{self.env.address}:{self.env.port}"
        fingerprint = self.store.poll(key, NOTICE_AFTER)
        if fingerprint is None:
            print(f"waiting up to {JOIN_TIMEOUT:g} s for process {process} of {groups} to join {address}", flush=True)
            fingerprint = self.store.poll(key, JOIN_TIMEOUT - NOTICE_AFTER)
        if fingerprint is None:
            raise UserError(
                f"process {process} of {groups} did not join {address} within {JOIN_TIMEOUT:g} s: was it started, with "
                "the same MASTER_ADDR and MASTER_PORT?"
            )
        if fingerprint != self.launch_fingerprint:
            raise UserError(
                f"process {process} was started with other settings than process 0: {fingerprint}, "
                f"not {self.launch_fingerprint}"
            )


_coordinator: Coordinator | None = None


def coordinator() -> Coordinator | None:
    """This process's, where it leads others."""
    return _coordinator


def run_as_leader_or_follower(launch_fingerprint: str, lead: Callable[[], int]) -> int:
    """Call `lead` if this process was started alone, is the first of several, or leads already; else follow the first.

    Args:
        launch_fingerprint: identifies what was started; the same in all processes.
        lead: gives an exit status.

    Returns:
        That exit status, in all processes.

    Raises:
        UserError: the other processes cannot be reached; and what `lead` raises.
    """
    global _coordinator
    env = detect_launcher(os.environ)
    if env is None or _coordinator is not None:
        return lead()
    if env.index:
        return _follow(env, launch_fingerprint)
    exit_status = 1
    _coordinator = Coordinator(env, launch_fingerprint)
    try:
        exit_status = lead()
    finally:
        with suppress(DistError, RuntimeError):  # torchrun, which hosts the store, may have ended
            _coordinator.shutdown(exit_status)
        _coordinator = None
    return exit_status


def _follow(env: LauncherEnv, launch_fingerprint: str) -> int:
    store = _connect(env)
    number = 0
    try:
        store.set(f"joined/{env.index}", launch_fingerprint)
        while "exit_status" not in (message := json.loads(store.poll(f"request/{number}") or "")):
            request = LaunchRequest(**message)
            with suppress(DistError):  # the leader ends a job by closing its store
                request.run_ranks(env, ControlStore(request.address, request.port))
            number += 1
        store.set(f"bye/{env.index}")
        return int(message["exit_status"])
    except (DistError, RuntimeError) as error:
        raise UserError(f"process {env.index}: process 0 at {env.address}:{env.port} is gone") from error


def _connect(env: LauncherEnv) -> ControlStore:
    """The store in which the processes meet, one for all jobs."""
    host = env.index == 0 and not env.store_is_hosted
    try:
        return ControlStore(env.address, env.port, host)
    except (DistError, RuntimeError) as error:
        problem = "cannot listen" if host else "cannot connect"
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"process {env.index} {problem} at {env.address}:{env.port} (MASTER_ADDR, MASTER_PORT): {reason}"
        ) from error
