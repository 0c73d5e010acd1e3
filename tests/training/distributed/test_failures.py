"""What becomes of ranks' failures."""

import signal

import pytest

from fbm.runs.files import FAILURE
from fbm.runs.folder import Run
from fbm.training.distributed.failures import RankFailure, failure_from_exit_code, raise_failures
from fbm.utils.errors import Stopped, UserError


def test_a_rank_reports_once(control_store):
    control_store.report(RankFailure(1, "user", "first"))
    control_store.report(RankFailure(1, "died", "second"))
    assert [failure.line for failure in control_store.failures(2)] == ["first"]


@pytest.mark.parametrize(
    ("code", "kind", "named"),
    [
        (3, "died", "3"),
        (-signal.SIGKILL, "died", "SIGKILL"),
        (-signal.SIGSEGV, "died", "SIGSEGV"),
        (-signal.SIGABRT, "lost", "abort"),
    ],
)
def test_exit_codes(code, kind, named):
    failure = failure_from_exit_code(1, code)
    assert failure.kind == kind
    assert named in failure.line


def test_a_cause_comes_before_what_it_causes(tmp_path):
    failures = [
        RankFailure(0, "lost", "connection closed", "trace 0"),
        RankFailure(1, "bug", "KeyError: 'x'", "trace 1"),
        RankFailure(2, "stopped", "saved", signum=15),
    ]
    with pytest.raises(UserError, match=r"rank 1 of 3: KeyError: 'x' \(see .*failure\.txt\)"):
        raise_failures(Run(tmp_path), failures, 3)
    assert (tmp_path / FAILURE).read_text() == "trace 1"


def test_an_error_of_the_user_on_all_ranks_names_none(tmp_path):
    with pytest.raises(UserError, match=r"^task=x is unknown$"):
        raise_failures(Run(tmp_path), [RankFailure(rank, "user", "task=x is unknown", "trace") for rank in (0, 1)], 2)
    assert not (tmp_path / FAILURE).exists()


def test_ranks_that_were_stopped_stop_the_job(tmp_path):
    failures = [RankFailure(rank, "stopped", "saved at step 3", signum=signal.SIGUSR1) for rank in (0, 1)]
    with pytest.raises(Stopped, match="saved at step 3") as stopped:
        raise_failures(Run(tmp_path), failures, 2)
    assert stopped.value.signum == signal.SIGUSR1


def test_without_failures_nothing_is_raised(tmp_path):
    raise_failures(Run(tmp_path), [], 2)
