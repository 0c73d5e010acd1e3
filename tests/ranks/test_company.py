"""Processes that were started together."""

import pytest

from fbm.errors import UserError
from fbm.ranks import company
from fbm.ranks.company import Call, Company, lead_or_follow
from fbm.ranks.job import Job
from fbm.ranks.team import Place
from fbm.ranks.world import Outside, Wanted


@pytest.fixture
def board(monkeypatch) -> Job:
    """Where they meet, hosted here."""
    job = Job(host=True)
    monkeypatch.setattr(company, "_board", lambda me: job)
    return job


@pytest.mark.parametrize(
    ("count", "asked", "teams"),
    [(4, Wanted(2, 2), 4), (2, Wanted(2, 2), 2), (None, Wanted(4, 2), 2), (8, Wanted(4, 2), 8)],
)
def test_a_process_a_rank_or_a_machine(board, count, asked, teams):
    assert Company(Outside(0, count, 0, 0, "a", 7), "x").teams(asked) == teams


@pytest.mark.parametrize(("count", "asked"), [(2, Wanted(1, 1)), (3, Wanted(2, 2)), (4, Wanted(2, 1))])
def test_any_other_number_is_one_line(board, count, asked):
    with pytest.raises(UserError, match=f"^{count} processes were started, but trainer.devices x trainer.num_nodes is"):
        Company(Outside(0, count, 0, 0, "a", 7), "x").teams(asked)


def test_each_starts_its_own_ranks(monkeypatch):
    made = []
    monkeypatch.setattr(company, "Team", lambda places, *_: made.append(places))
    call, job = Call("a", 7, 2, 2, "logs"), Job(host=True)
    call.team(Outside(3, 4, 1, 1, "a", 7), job, 4)
    call.team(Outside(1, None, 1, 0, "a", 7), job, 2)
    assert made == [[Place(3, 1, 1)], [Place(2, 1, 0), Place(3, 1, 1)]]


def test_others_that_do_not_come_are_waited_for_with_a_word_and_named(board, monkeypatch, capsys):
    monkeypatch.setattr(company, "COMING", 1.0)
    monkeypatch.setattr(company, "QUIET", 0.0)
    with pytest.raises(UserError, match="process 1 of 2 did not come to a:7"):
        Company(Outside(0, 2, 0, 0, "a", 7), "x").call(Call("a", 7, 1, 2, "logs"), 2)
    assert capsys.readouterr().out == "waiting for process 1 of 2 to come to a:7, 1 s at the most\n"


def test_one_that_was_started_with_other_settings_is_named(board):
    board.say("came/1", "train seed=1")
    with pytest.raises(UserError, match="process 1 was started with other settings than process 0: train seed=1, not"):
        Company(Outside(0, 2, 0, 0, "a", 7), "train seed=0").call(Call("a", 7, 1, 2, "logs"), 2)


def test_followers_end_as_the_lead_does(board):
    board.say("call/0", '{"over": 3}')
    assert company.follow(Outside(1, 2, 0, 1, "a", 7), "x") == 3
    assert board.said("came/1") == "x"
    assert board.said("bye/1")


def test_the_lead_lets_the_others_go_whatever_happens(board, monkeypatch):
    monkeypatch.setattr(company, "outside", lambda environ: Outside(0, 2, 0, 0, "a", 7))
    board.say("bye/1")

    def fail() -> int:
        raise UserError("bad")

    with pytest.raises(UserError, match="bad"):
        lead_or_follow("x", fail)
    assert board.said("call/0") == '{"over": 1}'
    assert company.company() is None


def test_a_process_alone_just_leads(monkeypatch):
    monkeypatch.setattr(company, "outside", lambda environ: None)
    assert lead_or_follow("x", lambda: 7) == 7
