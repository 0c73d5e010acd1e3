"""Processes that were started together."""

import pytest

from fbm.training.distributed import rendezvous
from fbm.training.distributed.control_store import ControlStore
from fbm.training.distributed.rendezvous import Coordinator, LaunchRequest, run_as_leader_or_follower
from fbm.training.distributed.topology import LauncherEnv
from fbm.utils.errors import UserError

REQUEST = LaunchRequest("a", 7, 1, 2, "logs")


@pytest.fixture
def meeting(control_store: ControlStore, monkeypatch: pytest.MonkeyPatch) -> ControlStore:
    """The store in which they meet, hosted here."""
    monkeypatch.setattr(rendezvous, "_connect", lambda env: control_store)
    return control_store


def env(index: int) -> LauncherEnv:
    """One of two."""
    return LauncherEnv(index, 2, 0, index, "a", 7)


def test_a_process_that_does_not_join_is_waited_for_and_named(meeting, monkeypatch, capsys):
    monkeypatch.setattr(rendezvous, "JOIN_TIMEOUT", 0.4)
    monkeypatch.setattr(rendezvous, "NOTICE_AFTER", 0.1)
    with pytest.raises(UserError, match=r"process 1 of 2.*a:7"):
        Coordinator(env(0), "x").request(REQUEST, 2)
    assert "process 1 of 2" in capsys.readouterr().out


def test_a_process_with_other_settings_is_named(meeting):
    meeting.set("joined/1", "train seed=1")
    with pytest.raises(UserError, match=r"process 1 .*train seed=1.*train seed=0"):
        Coordinator(env(0), "train seed=0").request(REQUEST, 2)


def test_each_request_has_its_key(meeting):
    meeting.set("joined/1", "x")
    meeting.set("bye/1")
    leader = Coordinator(env(0), "x")
    leader.request(REQUEST, 2)
    leader.request(REQUEST, 2)
    leader.shutdown(0)
    assert [meeting.try_get(f"request/{number}") is not None for number in range(4)] == [True, True, True, False]


def test_a_follower_starts_its_ranks_of_each_job_and_ends_as_the_leader_does(meeting, monkeypatch):
    jobs = []
    monkeypatch.setattr(rendezvous, "detect_launcher", lambda environ: env(1))
    monkeypatch.setattr(LaunchRequest, "run_ranks", lambda self, env, store: jobs.append((self, env.index)))
    job = ControlStore(host=True)
    request = LaunchRequest(job.address, job.port, 1, 2, "logs")
    meeting.set("bye/1")
    meeting.set("joined/1", "x")
    leader = Coordinator(env(0), "x")
    leader.request(request, 2)
    leader.request(request, 2)
    leader.shutdown(3)
    assert run_as_leader_or_follower("x", lambda: pytest.fail("it led")) == 3
    assert jobs == [(request, 1), (request, 1)]
    assert meeting.try_get("joined/1") == "x"
    assert meeting.try_get("bye/1")


def test_a_follower_whose_leader_is_gone_ends(monkeypatch):
    class Gone:
        def set(self, key: str, value: str) -> None:
            raise RuntimeError("connection reset")

    monkeypatch.setattr(rendezvous, "_connect", lambda env: Gone())
    monkeypatch.setattr(rendezvous, "detect_launcher", lambda environ: env(1))
    with pytest.raises(UserError, match="process 0 at a:7"):
        run_as_leader_or_follower("x", lambda: 0)


@pytest.mark.parametrize(("index", "named"), [(0, "listen"), (1, "connect")])
def test_an_address_that_cannot_be_used_is_one_line(monkeypatch, index, named):
    def refuse(*_: object) -> None:
        raise RuntimeError("no such address")

    monkeypatch.setattr(rendezvous, "ControlStore", refuse)
    monkeypatch.setattr(rendezvous, "detect_launcher", lambda environ: env(index))
    with pytest.raises(UserError, match=rf"process {index} .*{named}.* a:7 .*MASTER_ADDR.*no such address"):
        run_as_leader_or_follower("x", lambda: 0)


def test_the_leader_lets_the_others_end_whatever_happens(meeting, monkeypatch):
    monkeypatch.setattr(rendezvous, "detect_launcher", lambda environ: env(0))
    meeting.set("bye/1")

    def fail() -> int:
        assert rendezvous.coordinator() is not None
        raise UserError("bad")

    with pytest.raises(UserError, match="bad"):
        run_as_leader_or_follower("x", fail)
    assert meeting.try_get("request/0") == '{"exit_status": 1}'
    assert rendezvous.coordinator() is None


def test_a_process_alone_leads(monkeypatch):
    monkeypatch.setattr(rendezvous, "detect_launcher", lambda environ: None)
    assert run_as_leader_or_follower("x", lambda: 7) == 7
