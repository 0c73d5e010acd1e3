"""The supervisor, with ranks that import no torch, and with a clock of its own where it waits for long."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from fbm.training.distributed import supervisor
from fbm.training.distributed.control_store import ControlStore
from fbm.training.distributed.failures import RankFailure
from fbm.training.distributed.supervisor import Supervisor
from fbm.training.distributed.topology import Topology
from fbm.training.distributed.worker_group import WorkerGroup
from tests.waiting import wait_until

pytestmark = pytest.mark.slow


def is_running(pid: int) -> bool:
    """Whether there is such a process, zombies aside."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def pids() -> list[int]:
    """Of the fake ranks that have started."""
    return [int(path.read_text() or 0) for path in Path().glob("pid*")]


def start(store: ControlStore, ranks: int = 2) -> tuple[WorkerGroup, Supervisor]:
    group = WorkerGroup(range(ranks), Topology(ranks, 1), store, Path("logs"))
    return group, Supervisor(group, store)


# --- with fake ranks


def test_ranks_know_their_place_and_write_to_their_logs(control_store, fake_ranks, capfd):
    group, supervised = start(control_store)
    supervised.wait()
    assert control_store.failures(2) == []
    assert supervised.lost_group() is None
    assert capfd.readouterr().out == "rank 0 of 2\n"
    assert Path("logs/rank1.log").read_text() == "rank 1 of 2\n"
    assert not group.running


def test_a_rank_that_fails_ends_the_others(control_store, fake_ranks, monkeypatch):
    monkeypatch.setattr(supervisor, "FAILURE_GRACE", 0.1)
    fake_ranks("hang", "exit 3")
    start(control_store)[1].wait()
    (failure,) = control_store.failures(2)
    assert (failure.rank, failure.kind) == (1, "died")
    assert "3" in failure.line
    assert not any(is_running(pid) for pid in pids())
    assert not Path("signals0").exists()  # it was not asked to save


def test_a_killed_rank_is_reported_and_leaves_no_process_of_its_own(control_store, fake_ranks, monkeypatch):
    monkeypatch.setattr(supervisor, "FAILURE_GRACE", 0.1)
    fake_ranks("hang", "child")
    start(control_store)[1].wait()
    (failure,) = control_store.failures(2)
    assert "SIGKILL" in failure.line
    wait_until(lambda: not is_running(int(Path("child1").read_text())))


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_a_signal_has_all_ranks_save_and_end(control_store, fake_ranks, signum):
    fake_ranks("save", "save")
    _, supervised = start(control_store)
    before = signal.getsignal(signum)

    def interrupt() -> None:
        wait_until(lambda: len(pids()) == 2 and signal.getsignal(signum) != before)
        os.kill(os.getpid(), signum)

    thread = Thread(target=interrupt)
    thread.start()
    supervised.wait()
    thread.join()
    assert [Path(f"signals{rank}").read_text() for rank in (0, 1)] == [f"{signum.value}\n"] * 2
    assert Path("saved0").exists()
    assert Path("saved1").exists()
    assert control_store.failures(2) == []
    assert control_store.get("signal") == str(signum.value)


def test_the_second_interrupt_ends_ranks_at_once(control_store, fake_ranks):
    fake_ranks("hang", "hang")
    _, supervised = start(control_store)
    before = signal.getsignal(signal.SIGINT)

    def interrupt_twice() -> None:
        wait_until(lambda: len(pids()) == 2 and signal.getsignal(signal.SIGINT) != before)
        os.kill(os.getpid(), signal.SIGINT)
        wait_until(Path("signals0").exists)
        os.kill(os.getpid(), signal.SIGINT)

    thread = Thread(target=interrupt_twice)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        supervised.wait()
    thread.join()
    assert not any(is_running(pid) for pid in pids())


def test_no_rank_outlives_its_launcher(control_store, fake_ranks):
    fake_ranks("hang", "hang")
    launcher = os.fork()
    if launcher == 0:
        try:
            start(control_store)
            time.sleep(600)
        finally:
            os._exit(1)
    wait_until(lambda: len(pids()) == 2 and all(pids()))
    os.kill(launcher, signal.SIGKILL)
    os.waitpid(launcher, 0)
    wait_until(lambda: not any(is_running(pid) for pid in pids()))


# --- with a clock


@dataclass
class HangingGroup:
    """Ranks that hang until they are killed."""

    store: ControlStore
    clock: "Clock"
    running: bool = True
    failed: bool = False
    stopping: bool = False
    killed: bool = False
    sent: list[int] = field(default_factory=list)

    def send(self, signum: int) -> None:
        self.sent.append(signum)

    def kill(self) -> None:
        self.killed, self.running = self.running, False

    def failures(self) -> list[RankFailure]:
        return [RankFailure(0, "died", "it failed")] if self.failed else []


class Clock:
    """Time that passes only where the supervisor sleeps; `at` may hold a moment and what happens then."""

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
    monkeypatch.setattr(supervisor, "time", made)
    return made


@pytest.fixture
def group(clock, control_store) -> HangingGroup:
    return HangingGroup(control_store, clock)


def supervise(group: HangingGroup, groups: int = 1) -> tuple[float, Supervisor]:
    """The seconds that it took, and the supervisor."""
    supervised = Supervisor(group, group.store, 0, groups)  # type: ignore[arg-type]
    supervised.wait()
    return group.clock.now, supervised


def about(seconds: float) -> Any:
    """So many, and a poll or two."""
    return pytest.approx(seconds + supervisor.POLL_INTERVAL, abs=2 * supervisor.POLL_INTERVAL)


def test_the_others_have_a_moment_when_one_fails(group):
    group.failed = True
    assert supervise(group)[0] == about(supervisor.FAILURE_GRACE)
    assert group.store.try_get("failed")
    assert group.store.try_get("over/0")


def test_ranks_that_fail_before_the_first_poll_are_reported_too(group):
    group.failed, group.running = True, False
    supervise(group)
    assert group.store.try_get("failed")
    assert group.store.failures(1)


def test_a_failure_elsewhere_ends_these_ranks_too(group):
    group.store.set("failed")
    assert supervise(group)[0] == about(supervisor.FAILURE_GRACE)


def test_ranks_that_ignore_a_signal_are_ended(group, clock):
    clock.at.append((7.0, lambda: os.kill(os.getpid(), signal.SIGUSR1)))
    seconds, _ = supervise(group)
    assert group.sent == [signal.SIGUSR1]
    assert seconds == about(7 + supervisor.SHUTDOWN_GRACE)
    assert group.store.try_get("failed")  # ranks elsewhere would wait for these


def test_ranks_that_do_not_end_after_another_has_saved_are_ended(group):
    group.stopping = True
    assert supervise(group)[0] == about(supervisor.SHUTDOWN_GRACE)


def test_a_process_that_never_starts_its_ranks_is_lost(group):
    seconds, supervised = supervise(group, groups=2)
    assert supervised.lost_group() == 1
    limit = supervisor.STARTUP_TIMEOUT + supervisor.FAILURE_GRACE
    assert seconds == pytest.approx(limit, abs=2 * supervisor.HEARTBEAT_INTERVAL)


def test_a_process_whose_heartbeats_cease_is_lost(group, clock):
    for second in (1, 2, 3):
        clock.at.append((second, lambda second=second: group.store.set("beat/1", str(second))))
    seconds, supervised = supervise(group, groups=2)
    assert supervised.lost_group() == 1
    limit = 3 + supervisor.HEARTBEAT_TIMEOUT + supervisor.FAILURE_GRACE
    assert seconds == pytest.approx(limit, abs=3 * supervisor.HEARTBEAT_INTERVAL)


def test_handlers_are_as_before(group):
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
    before = [signal.getsignal(signum) for signum in signals]
    group.store.set("failed")
    supervise(group)
    assert [signal.getsignal(signum) for signum in signals] == before
