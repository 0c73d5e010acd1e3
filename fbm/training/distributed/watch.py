"""Whoever started ranks waits for their end: hands signals on, and lets no rank outlive a failing one."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

from fbm.training.distributed.job import ControlStore
from fbm.training.distributed.team import WorkerGroup

POLL_INTERVAL = 0.2  # seconds between two looks
FAILURE_GRACE = 5.0  # seconds that the others have to end by themselves when a rank has failed
SHUTDOWN_GRACE = 120.0  # seconds that ranks have to save and leave when a signal asks for it
HEARTBEAT_INTERVAL, HEARTBEAT_TIMEOUT = (
    1.0,
    10.0,
)  # seconds between two signs of life of a machine, and without one until it counts as gone
STARTUP_TIMEOUT = 40.0  # seconds until its first one, while it starts its ranks
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


@dataclass
class Supervisor:
    """The end of a team, and of the teams on other machines.

    Args:
        team: started here.
        job: where all of the job's processes speak.
        me, teams: this one's number, and how many there are.
    """

    team: WorkerGroup
    job: ControlStore
    me: int = 0
    teams: int = 1
    caught: list[int] = field(default_factory=list)
    silent: set[int] = field(default_factory=set)  # teams that have not been heard of for too long

    def __post_init__(self) -> None:
        self.deadline: float | None = None
        self.last_beat, self.heard = 0.0, {other: ("", time.monotonic()) for other in range(self.teams)}

    def wait(self) -> None:
        """Return when no rank of this machine is left, however that came.

        Raises:
            RuntimeError: the lead is gone, and its store with it; no rank is left here all the same.
        """
        try:
            with _catching(self.caught):
                while self.team.running and not self._late():
                    self._hand_on()
                    self._look()
                    time.sleep(POLL_INTERVAL)
        finally:
            self.team.kill()
        self._tell_failure()  # of ranks that ended between two looks
        self.job.say(f"over/{self.me}")

    def _late(self) -> bool:
        return self.deadline is not None and time.monotonic() > self.deadline

    def _hand_on(self) -> None:
        """Signals to the ranks; the second one is a person's impatience."""
        while self.caught:
            signum = self.caught.pop(0)
            impatient = self.job.said("asked") is not None and signum == signal.SIGINT
            self.job.say("asked", str(signum))
            self.team.send(signum)
            self._end_within(0 if impatient else SHUTDOWN_GRACE)

    def _end_within(self, seconds: float) -> None:
        """The ranks that are left then are killed; an earlier end stands."""
        until = time.monotonic() + seconds
        self.deadline = until if self.deadline is None else min(self.deadline, until)

    def _look(self) -> None:
        self._tell_failure()
        if self.job.said("failed"):
            self._end_within(FAILURE_GRACE)
        if self.team.leaving:
            self._end_within(SHUTDOWN_GRACE)
        if self.teams > 1:
            self._beat()

    def _tell_failure(self) -> None:
        if self.team.failing:
            self.team.report_exit_codes()
            self.job.say("failed")

    def _beat(self) -> None:
        """A sign of life for the others, and a look for theirs."""
        now = time.monotonic()
        if now - self.last_beat < HEARTBEAT_INTERVAL:
            return
        self.last_beat = now
        self.job.say(f"beat/{self.me}", str(now))
        for other, (beat, when) in self.heard.items():
            newest = self.job.said(f"beat/{other}") or ""
            if newest != beat or self.job.said(f"over/{other}"):
                self.heard[other] = (newest, now)
            elif now - when > (HEARTBEAT_TIMEOUT if beat else STARTUP_TIMEOUT):
                self.silent.add(other)
                self.job.say("failed")


@contextmanager
def _catching(caught: list[int]) -> Iterator[None]:
    """Note signals in place of dying of them; outside the main thread Python allows no handler."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def note(signum: int, frame: FrameType | None) -> None:
        caught.append(signum)

    before = {signum: signal.signal(signum, note) for signum in SIGNALS}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
