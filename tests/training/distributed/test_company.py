"""Processes that were started together."""

import pytest

from fbm.training.distributed import company
from fbm.training.distributed.company import Coordinator, LaunchRequest, run_as_leader_or_follower
from fbm.training.distributed.job import ControlStore
from fbm.training.distributed.team import RankInfo
from fbm.training.distributed.world import LauncherEnv, RequestedTopology
from fbm.utils.errors import UserError


@pytest.fixture
def board(monkeypatch) -> ControlStore:
    """Where they meet, hosted here."""
    job = ControlStore(host=True)
    monkeypatch.setattr(company, "_board", lambda me: job)
    return job


@pytest.mark.parametrize(
    ("count", "asked", "teams"),
    [
        (4, RequestedTopology(2, 2), 4),
        (2, RequestedTopology(2, 2), 2),
        (None, RequestedTopology(4, 2), 2),
        (8, RequestedTopology(4, 2), 8),
    ],
)
def test_a_process_a_rank_or_a_machine(board, count, asked, teams):
    assert Coordinator(LauncherEnv(0, count, 0, 0, "a", 7), "x").teams(asked) == teams


@pytest.mark.parametrize(
    ("count", "asked"), [(2, RequestedTopology(1, 1)), (3, RequestedTopology(2, 2)), (4, RequestedTopology(2, 1))]
)
def test_any_other_number_is_one_line(board, count, asked):
    with pytest.raises(UserError, match=f"^{count} processes were started, but trainer.devices x trainer.num_nodes is"):
        Coordinator(LauncherEnv(0, count, 0, 0, "a", 7), "x").teams(asked)


def test_each_starts_its_own_ranks(monkeypatch):
    made = []
    monkeypatch.setattr(company, "WorkerGroup", lambda places, *_: made.append(places))
    call, job = LaunchRequest("a", 7, 2, 2, "logs"), ControlStore(host=True)
    call.team(LauncherEnv(3, 4, 1, 1, "a", 7), job, 4)
    call.team(LauncherEnv(1, None, 1, 0, "a", 7), job, 2)
    assert made == [[RankInfo(3, 1, 1)], [RankInfo(2, 1, 0), RankInfo(3, 1, 1)]]


def test_others_that_do_not_come_are_waited_for_with_a_word_and_named(board, monkeypatch, capsys):
    monkeypatch.setattr(company, "COMING", 1.0)
    monkeypatch.setattr(company, "QUIET", 0.0)
    with pytest.raises(UserError, match="process 1 of 2 did not come to a:7"):
        Coordinator(LauncherEnv(0, 2, 0, 0, "a", 7), "x").call(LaunchRequest("a", 7, 1, 2, "logs"), 2)
    assert capsys.readouterr().out == "waiting for process 1 of 2 to come to a:7, 1 s at the most\n"


def test_one_that_was_started_with_other_settings_is_named(board):
    board.say("came/1", "train seed=1")
    with pytest.raises(UserError, match="process 1 was started with other settings than process 0: train seed=1, not"):
        Coordinator(LauncherEnv(0, 2, 0, 0, "a", 7), "train seed=0").call(LaunchRequest("a", 7, 1, 2, "logs"), 2)


def test_followers_end_as_the_lead_does(board):
    board.say("call/0", '{"over": 3}')
    assert company.follow(LauncherEnv(1, 2, 0, 1, "a", 7), "x") == 3
    assert board.said("came/1") == "x"
    assert board.said("bye/1")


def test_the_lead_lets_the_others_go_whatever_happens(board, monkeypatch):
    monkeypatch.setattr(company, "detect_launcher", lambda environ: LauncherEnv(0, 2, 0, 0, "a", 7))
    board.say("bye/1")

    def fail() -> int:
        raise UserError("bad")

    with pytest.raises(UserError, match="bad"):
        run_as_leader_or_follower("x", fail)
    assert board.said("call/0") == '{"over": 1}'
    assert company.coordinator() is None


def test_a_process_alone_just_leads(monkeypatch):
    monkeypatch.setattr(company, "detect_launcher", lambda environ: None)
    assert run_as_leader_or_follower("x", lambda: 7) == 7
