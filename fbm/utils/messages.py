"""What a command says on standard error, and the exit status that goes with it."""

import signal
import sys

from fbm.utils.errors import Stopped, UserError
from fbm.utils.files import describe_write_error


def signal_exit_status(stopped: Stopped | KeyboardInterrupt) -> int:
    """Say how far it is, and give the exit status, where a signal ended a command."""
    if isinstance(stopped, Stopped):
        print(f"fbm: {stopped}", file=sys.stderr)
        return 128 + stopped.signum
    print_error("interrupted; what is done is kept")
    return 128 + signal.SIGINT


def user_message(error: Exception) -> str | None:
    """What to tell a user who can mend it; None for a fault of ours."""
    from omegaconf.errors import OmegaConfBaseException

    if isinstance(error, UserError | OmegaConfBaseException):
        return str(error)
    return describe_write_error(error) if isinstance(error, OSError) else None


def print_error(message: str) -> None:
    """One line on standard error."""
    print(f"fbm: error: {' '.join(message.split())}", file=sys.stderr)
