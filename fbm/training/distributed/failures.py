"""How ranks fail, and what their launcher makes of it."""

import signal
from collections.abc import Sequence
from dataclasses import dataclass

from fbm.runs.files import FAILURE
from fbm.runs.folder import Run
from fbm.utils.errors import Stopped, UserError
from fbm.utils.files import write_text

CAUSES = ("user", "bug", "died", "lost")  # kinds of failures; each may have caused those behind it
RESUME_HINT = "; the other ranks were ended, the same command resumes from the last checkpoint"


@dataclass(frozen=True)
class RankFailure:
    """Why a rank did not finish.

    Attributes:
        kind: "user" for an error that the user can fix, "bug", "died" without a report, "lost" for a connection lost to
            another rank that failed, or "stopped" on a signal's request.
        line: the reason, in one line.
        traceback: as Python prints it; may be empty.
        signum: of the signal, if it was stopped.
    """

    rank: int
    kind: str
    line: str
    traceback: str = ""
    signum: int = 0


def failure_from_exit_code(rank: int, code: int) -> RankFailure:
    """The failure of a rank that ended without a report; a negative code is a signal's, as in `subprocess`."""
    if code > 0:
        return RankFailure(rank, "died", f"ended with exit status {code} and no message")
    name = signal.Signals(-code).name
    if name == "SIGABRT":  # NCCL aborts a rank whose peer is gone
        return RankFailure(rank, "lost", "was aborted")
    reason = ", as the system does when memory runs out" if name == "SIGKILL" else ""
    return RankFailure(rank, "died", f"was killed by {name}{reason}")


def raise_failures(run: Run, failures: Sequence[RankFailure], world_size: int) -> None:
    """Raise the cause among the ranks' failures, if there are any; a bug's traceback is written to the run folder.

    Raises:
        UserError: a rank failed.
        Stopped: ranks were stopped by a signal.
    """
    failed = sorted(
        (failure for failure in failures if failure.kind in CAUSES), key=lambda failure: CAUSES.index(failure.kind)
    )
    if failed:
        cause = failed[0]
        if cause.traceback and cause.kind != "user":
            write_text(run.folder / FAILURE, cause.traceback)
        if len(failed) == world_size and len({failure.line for failure in failed}) == 1:
            raise UserError(cause.line)  # common to all ranks: no need to name one
        file = f" (see {run.folder / FAILURE})" if cause.kind == "bug" else ""
        hint = "" if cause.kind == "user" else RESUME_HINT
        raise UserError(f"{run.folder}: rank {cause.rank} of {world_size}: {cause.line}{file}{hint}")
    for failure in failures:
        raise Stopped(failure.signum, failure.line)
