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

from fbm.errors import UserError
from fbm.ranks.job import Job, read
from fbm.ranks.team import Place, Team
from fbm.ranks.watch import Watch
from fbm.ranks.world import Outside, Wanted, outside

COMING = 300.0  # seconds that all processes have to come
QUIET = 10.0  # seconds of waiting for them that need no word
GOODBYE = 10.0  # seconds that they have to read the lead's last word


@dataclass(frozen=True)
class Call:
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

    def team(self, me: Outside, job: Job, teams: int) -> Team:
        """The ranks of one process: its own one, or all of its machine where it stands for that."""
        first = me.node * self.local
        whole = [Place(first + local, me.node, local) for local in range(self.local)]
        places = whole if teams == self.nodes else [whole[me.local]]
        return Team(places, self.local, self.local * self.nodes, job, Path(self.logs))


class Company:
    """The lead's side.

    Args:
        me: this process.
        creed: what all must have been started with.

    Raises:
        UserError: nobody can listen at the address.
    """

    def __init__(self, me: Outside, creed: str) -> None:
        self.me, self.creed, self.calls = me, creed, 0
        self.came = 1
        self.board = _board(me)

    def teams(self, asked: Wanted) -> int:
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

    def call(self, call: Call, teams: int) -> None:
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
            creed = self.board.said(f"came/{self.came}")
            if creed is not None and creed != self.creed:
                raise UserError(
                    f"process {self.came} was started with other settings than process 0: {creed}, not {self.creed}"
                )
            if creed is None and time.monotonic() > until:
                raise UserError(
                    f"process {self.came} of {teams} did not come to {self.me.address}:{self.me.port} within "
                    f"{COMING:g} s: was it started, with the same MASTER_ADDR and MASTER_PORT?"
                )
            if creed is None and not told and time.monotonic() > began + QUIET:
                told = True
                print(
                    f"waiting for process {self.came} of {teams} to come to {self.me.address}:{self.me.port}, "
                    f"{COMING:g} s at the most",
                    flush=True,
                )
            self.came += creed is not None
            time.sleep(0.0 if creed is not None else 0.2)

    def dismiss(self, code: int) -> None:
        """Let the others end, with this exit status."""
        self.board.say(f"call/{self.calls}", json.dumps({"over": code}))
        until = time.monotonic() + GOODBYE
        known = self.me.count or self.came
        while time.monotonic() < until and any(self.board.said(f"bye/{other}") is None for other in range(1, known)):
            time.sleep(0.1)


_company: Company | None = None


def company() -> Company | None:
    """What this process leads, if it was not started alone."""
    return _company


def lead_or_follow(creed: str, lead: Callable[[], int]) -> int:
    """Call `lead` where this process was started alone or is the first of several; else follow the first.

    Args:
        creed: what all must have been started with.

    Returns:
        The lead's exit status, in all processes.
    """
    global _company
    me = outside(os.environ)
    if me is None or _company is not None:
        return lead()
    if me.index:
        return follow(me, creed)
    _company, code = Company(me, creed), 1
    try:
        code = lead()
    finally:
        mine, _company = _company, None
        with suppress(DistError, RuntimeError):  # torchrun may have ended already
            mine.dismiss(code)
    return code


def follow(me: Outside, creed: str) -> int:
    """Start this process's ranks of every job that the lead calls for; its exit status.

    Raises:
        UserError: the lead cannot be found, or is gone.
    """
    board = _board(me)
    try:
        board.say(f"came/{me.index}", creed)
        number = 0
        while True:
            key = f"call/{number}"
            while board.said(key) is None:
                time.sleep(0.2)
            said = read(board.wait_for(key))
            if "over" in said:
                board.say(f"bye/{me.index}")
                return int(said["over"])
            _obey(me, Call(**said))
            number += 1
    except (DistError, RuntimeError) as error:
        raise UserError(f"process {me.index}: process 0 at {me.address}:{me.port} is gone") from error


def _obey(me: Outside, call: Call) -> None:
    job = Job(call.address, call.port)
    teams = call.nodes if me.count in (None, call.nodes) else call.nodes * call.local
    with suppress(DistError):  # the lead ends a job by closing its store
        Watch(call.team(me, job, teams), job, me.index, teams).until_over()


def _board(me: Outside) -> Job:
    """Where the processes meet: one store for all jobs."""
    try:
        return Job(me.address, me.port, host=me.index == 0 and not me.hosted, patience=timedelta(seconds=COMING))
    except (DistError, RuntimeError) as error:
        what = "cannot listen" if me.index == 0 and not me.hosted else "finds nobody"
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"process {me.index} {what} at {me.address}:{me.port} (MASTER_ADDR, MASTER_PORT): {reason}"
        ) from error
