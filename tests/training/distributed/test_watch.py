"""Ranks that do not end by themselves: they are ended, in time."""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from fbm.training.distributed import watch
from fbm.training.distributed.job import ControlStore, RankFailure
from fbm.training.distributed.watch import Supervisor


@dataclass
class FakeTeam:
    """Ranks that hang until they are killed."""

    job: ControlStore
    clock: "Clock"
    running: bool = True
    failing: bool = False
    leaving: bool = False
    sent: list[int] = field(default_factory=list)

    def send(self, signum: int) -> None:
        self.sent.append(signum)

    def kill(self) -> None:
        self.running = False

    def report_exit_codes(self) -> None:
        pass


class Clock:
    """Time that passes only where the watch sleeps; `at` may hold a moment and what happens then."""

    def __init__(self) -> None:
        self.now = 0.0
        self.at: list[tuple[float, Callable[[], None]]] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        while self.at and self.at[0][0] <= self.now:
            self.at.pop(0)[1]()


@pytest.fixture
def clock(monkeypatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(watch, "time", made)
    return made


@pytest.fixture
def team(clock) -> FakeTeam:
    return FakeTeam(ControlStore(host=True), clock)


def seconds_of(team: FakeTeam, teams: int = 1) -> tuple[float, Supervisor]:
    watched = Supervisor(team, team.job, 0, teams)  # type: ignore[arg-type]
    watched.wait()
    return team.clock.now, watched


def about(seconds: float) -> Any:
    """So many, and a look or two."""
    return pytest.approx(seconds + watch.POLL_INTERVAL, abs=2 * watch.POLL_INTERVAL)


def test_the_others_have_a_moment_when_one_fails(team):
    team.failing = True
    assert seconds_of(team)[0] == about(watch.FAILURE_GRACE)
    assert team.job.said("failed")
    assert team.job.said("over/0")


def test_ranks_that_fail_before_the_first_look_are_told_too(team):
    team.failing, team.running = True, False
    seconds_of(team)
    assert team.job.said("failed")


def test_a_failure_elsewhere_ends_these_ranks_too(team):
    team.job.say("failed")
    assert seconds_of(team)[0] == about(watch.FAILURE_GRACE)


def test_ranks_that_do_not_heed_a_signal_are_ended(team, clock):
    clock.at.append((7.0, lambda: os.kill(os.getpid(), signal.SIGUSR1)))
    took, _ = seconds_of(team)
    assert team.sent == [signal.SIGUSR1]
    assert took == about(7 + watch.SHUTDOWN_GRACE)


def test_a_process_that_never_begins_is_not_waited_for(team):
    took, watched = seconds_of(team, teams=2)
    assert watched.silent == {1}
    assert took == pytest.approx(watch.STARTUP_TIMEOUT + watch.FAILURE_GRACE, abs=2 * watch.HEARTBEAT_INTERVAL)


def test_handlers_are_as_before(team):
    before = [signal.getsignal(signum) for signum in watch.SIGNALS]
    team.job.say("failed")
    seconds_of(team)
    assert [signal.getsignal(signum) for signum in watch.SIGNALS] == before


def test_a_rank_reports_once(team):
    team.job.report(RankFailure(1, "user", "first"))
    team.job.report(RankFailure(1, "died", "second"))
    assert [report.line for report in team.job.reports(2)] == ["first"]
