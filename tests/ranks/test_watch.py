"""Ranks that do not end by themselves: they are ended, in time."""

import os
import signal
import time
from dataclasses import dataclass, field

import pytest

from fbm.ranks import watch
from fbm.ranks.job import Job, Report
from fbm.ranks.watch import Watch


@dataclass
class FakeTeam:
    """Ranks that hang until they are killed."""

    job: Job
    running: bool = True
    failing: bool = False
    leaving: bool = False
    sent: list[int] = field(default_factory=list)

    def send(self, signum: int) -> None:
        self.sent.append(signum)

    def kill(self) -> None:
        self.running = False

    def tell_deaths(self) -> None:
        pass


@pytest.fixture
def team(monkeypatch) -> FakeTeam:
    for name, seconds in (
        ("GRACE", 0.3),
        ("LEAVE", 0.6),
        ("SILENCE", 0.5),
        ("FIRST", 0.5),
        ("LOOK", 0.02),
        ("BEAT", 0.1),
    ):
        monkeypatch.setattr(watch, name, seconds)
    return FakeTeam(Job(host=True))


def seconds_of(team: FakeTeam, teams: int = 1) -> tuple[float, Watch]:
    began = time.monotonic()
    watched = Watch(team, team.job, 0, teams)  # type: ignore[arg-type]
    watched.until_over()
    return time.monotonic() - began, watched


def test_the_others_have_a_moment_when_one_fails(team):
    team.failing = True
    assert 0.25 < seconds_of(team)[0] < 2
    assert team.job.said("failed")
    assert team.job.said("over/0")


def test_ranks_that_fail_before_the_first_look_are_told_too(team):
    team.failing, team.running = True, False
    seconds_of(team)
    assert team.job.said("failed")


def test_a_failure_elsewhere_ends_these_ranks_too(team):
    team.job.say("failed")
    assert seconds_of(team)[0] < 2


def test_ranks_that_do_not_heed_a_signal_are_ended(team):
    def ask(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGUSR1)

    before = signal.signal(signal.SIGALRM, ask)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        took, _ = seconds_of(team)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert team.sent == [signal.SIGUSR1]
    assert 0.5 < took < 3


def test_a_process_that_never_begins_is_not_waited_for(team):
    took, watched = seconds_of(team, teams=2)
    assert watched.silent == {1}
    assert took < 4


def test_handlers_are_as_before(team):
    before = [signal.getsignal(signum) for signum in watch.SIGNALS]
    team.job.say("failed")
    seconds_of(team)
    assert [signal.getsignal(signum) for signum in watch.SIGNALS] == before


def test_a_rank_reports_once(team):
    team.job.report(Report(1, "user", "first"))
    team.job.report(Report(1, "died", "second"))
    assert [report.line for report in team.job.reports(2)] == ["first"]
