"""Processes that torchrun, SLURM or a person on each machine started together: the first leads, the others follow.

Each starts its ranks as children, job for job. So a sweep, also one that decides as it goes, is made by the lead alone,
and a job that fails ends its ranks, not the sweep.
"""

import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

from torch.distributed import DistError

from fbm.training.distributed.job import ControlStore, read
from fbm.training.distributed.team import RankInfo, WorkerGroup
from fbm.training.distributed.watch import Supervisor
from fbm.training.distributed.world import LauncherEnv, RequestedTopology, detect_launcher
from fbm.utils.errors import UserError

COMING = 300.0  # seconds that all processes have to come
QUIET = 10.0  # seconds of waiting for them that need no word
GOODBYE = 10.0  # seconds that they have to read the lead's last word


@dataclass(frozen=True)
class LaunchRequest:
    """What the lead asks the others to do: start their ranks of one job.

    Attributes:
        address, port: of the job's store.
        local, nodes: ranks on each machine, and machines.
        logs: folder for what they print.
    """

    address: str
    port: int
    local: int
    nodes: int
    logs: str

    def team(self, me: LauncherEnv, job: ControlStore, teams: int) -> WorkerGroup:
        """The ranks of one process: its own one, or all of its machine where it stands for that."""
        first = me.node * self.local
        whole = [RankInfo(first + local, me.node, local) for local in range(self.local)]
        places = whole if teams == self.nodes else [whole[me.local]]
        return WorkerGroup(places, self.local, self.local * self.nodes, job, Path(self.logs))


class Coordinator:
    """The lead's side.

    Args:
        me: this process.
        launch_fingerprint: what all must have been started with.

    Raises:
        UserError: nobody can listen at the address.
    """

    def __init__(self, me: LauncherEnv, launch_fingerprint: str) -> None:
        self.me, self.launch_fingerprint, self.calls = me, launch_fingerprint, 0
        self.came = 1
        self.board = _board(me)

    def teams(self, asked: RequestedTopology) -> int:
        """How many processes start ranks for such a run.

        Raises:
            UserError: others were started than the run asks for.
        """
        teams = self.me.count or asked.nodes
        if teams not in (asked.nodes, asked.ranks):
            raise UserError(
                f"{teams} processes were started, but trainer.devices x trainer.num_nodes is {asked.local} x "
                f"{asked.nodes}: one process a rank is wanted, or one a machine (see docs/ranks.md)"
            )
        return teams

    def call(self, call: LaunchRequest, teams: int) -> None:
        """Have all the others start their ranks.

        Raises:
            UserError: they do not come, or were started with other settings.
        """
        self._gather(teams)
        self.board.say(f"call/{self.calls}", json.dumps(asdict(call)))
        self.calls += 1

    def _gather(self, teams: int) -> None:
        began = time.monotonic()
        until, told = began + COMING, False
        while self.came < teams:
            launch_fingerprint = self.board.said(f"came/{self.came}")
            if launch_fingerprint is not None and launch_fingerprint != self.launch_fingerprint:
                raise UserError(
                    f"process {self.came} was started with other settings than process 0: {launch_fingerprint}, "
                    f"not {self.launch_fingerprint}"
                )
            if launch_fingerprint is None and time.monotonic() > until:
                raise UserError(
                    f"process {self.came} of {teams} did not come to {self.me.address}:{self.me.port} within "
                    f"{COMING:g} s: was it started, with the same MASTER_ADDR and MASTER_PORT?"
                )
            if launch_fingerprint is None and not told and time.monotonic() > began + QUIET:
                told = True
                print(
                    f"waiting for process {self.came} of {teams} to come to {self.me.address}:{self.me.port}, "
                    f"{COMING:g} s at the most",
                    flush=True,
                )
            self.came += launch_fingerprint is not None
            time.sleep(0.0 if launch_fingerprint is not None else 0.2)

    def dismiss(self, code: int) -> None:
        """Let the others end, with this exit status."""
        self.board.say(f"call/{self.calls}", json.dumps({"over": code}))
        until = time.monotonic() + GOODBYE
        known = self.me.count or self.came
        while time.monotonic() < until and any(self.board.said(f"bye/{other}") is None for other in range(1, known)):
            time.sleep(0.1)


_company: Coordinator | None = None


def coordinator() -> Coordinator | None:
    """What this process leads, if it was not started alone."""
    return _company


def run_as_leader_or_follower(launch_fingerprint: str, lead: Callable[[], int]) -> int:
    """Call `lead` where this process was started alone or is the first of several; else follow the first.

    Args:
        launch_fingerprint: what all must have been started with.

    Returns:
        The lead's exit status, in all processes.
    """
    global _company
    me = detect_launcher(os.environ)
    if me is None or _company is not None:
        return lead()
    if me.index:
        return follow(me, launch_fingerprint)
    _company, code = Coordinator(me, launch_fingerprint), 1
    try:
        code = lead()
    finally:
        mine, _company = _company, None
        with suppress(DistError, RuntimeError):  # torchrun may have ended already
            mine.dismiss(code)
    return code


def follow(me: LauncherEnv, launch_fingerprint: str) -> int:
    """Start this process's ranks of every job that the lead calls for; its exit status.

    Raises:
        UserError: the lead cannot be found, or is gone.
    """
    board = _board(me)
    try:
        board.say(f"came/{me.index}", launch_fingerprint)
        number = 0
        while True:
            key = f"call/{number}"
            while board.said(key) is None:
                time.sleep(0.2)
            said = read(board.wait_for(key))
            if "over" in said:
                board.say(f"bye/{me.index}")
                return int(said["over"])
            _obey(me, LaunchRequest(**said))
            number += 1
    except (DistError, RuntimeError) as error:
        raise UserError(f"process {me.index}: process 0 at {me.address}:{me.port} is gone") from error


def _obey(me: LauncherEnv, call: LaunchRequest) -> None:
    job = ControlStore(call.address, call.port)
    teams = call.nodes if me.count in (None, call.nodes) else call.nodes * call.local
    with suppress(DistError):  # the lead ends a job by closing its store
        Supervisor(call.team(me, job, teams), job, me.index, teams).wait()


def _board(me: LauncherEnv) -> ControlStore:
    """Where the processes meet: one store for all jobs."""
    try:
        return ControlStore(
            me.address, me.port, host=me.index == 0 and not me.store_is_hosted, patience=timedelta(seconds=COMING)
        )
    except (DistError, RuntimeError) as error:
        what = "cannot listen" if me.index == 0 and not me.store_is_hosted else "finds nobody"
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"process {me.index} {what} at {me.address}:{me.port} (MASTER_ADDR, MASTER_PORT): {reason}"
        ) from error
