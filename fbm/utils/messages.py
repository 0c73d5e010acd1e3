"""Messages of a command on standard error, and its exit status."""

import os
import select
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence

from fbm.utils.errors import Stopped, UserError
from fbm.utils.files import describe_write_error


def signal_exit_status(stopped: Stopped | KeyboardInterrupt) -> int:
    """Print the progress of a command that was ended by a signal; returns its exit status."""
    if isinstance(stopped, Stopped):
        print(f"fbm: {stopped}", file=sys.stderr)
        return 128 + stopped.signum
    print_error("interrupted; what is done is kept")
    return 128 + signal.SIGINT


def exit_status(command: Callable[[], int | None]) -> int:
    """Run a command; an error that a user can fix becomes one line and exit status 1.

    Where the reader of its output leaves, as `head` does, it ends without a message, as one that SIGPIPE ends.

    Raises:
        OSError: one that is no fault of a user's.
    """
    try:
        try:
            status = command() or 0
        except SystemExit:  # after a help text
            _flush()
            raise
        _flush()
        return status
    except (UserError, OSError) as error:
        if isinstance(error, BrokenPipeError) and _output_is_unread():
            return 128 + signal.SIGPIPE
        line = user_message(error)
        if line is None:
            raise
        print_error(line)
        return 1
    except (Stopped, KeyboardInterrupt) as stopped:
        return signal_exit_status(stopped)


def _flush() -> None:
    if sys.stdout is not None:  # where standard output was closed
        sys.stdout.flush()


def _output_is_unread() -> bool:
    """Whether nobody reads standard output any more; if so, what is left of it is dropped."""
    output = select.poll()
    output.register(sys.stdout, 0)  # errors are reported without being asked for
    if not output.poll(0):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return True


def user_message(error: Exception) -> str | None:
    """The message of an error that a user can fix; None for a bug."""
    from omegaconf.errors import OmegaConfBaseException

    if isinstance(error, UserError | OmegaConfBaseException):
        return str(error)
    return describe_write_error(error) if isinstance(error, OSError) else None


def failure_reason(error: Exception) -> str:
    """Why one of several jobs failed, in one line; the traceback of a bug is printed."""
    reason = user_message(error)
    if reason is None:
        traceback.print_exception(error)
        reason = f"{type(error).__name__}: {error}"
    return " ".join(reason.split())


def list_faults(lines: Sequence[str], label: str = "", refused: bool = True) -> str:
    """Print a line for each fault, and give the words of an error by which it says what they are.

    A single fault that is `refused`, so that such an error follows, is in the error alone.
    """
    if len(lines) == 1 and refused:
        return f": {lines[0]}"
    for line in lines:
        print(f"{label}{line}")
    return ", named above"


def first_names(names: Iterable[str], most: int = 5) -> str:
    """The first names, and the number of the others: `a, b and 3 more`."""
    every = list(names)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more


def print_error(message: str) -> None:
    """Print one line to standard error."""
    print(f"fbm: error: {' '.join(message.split())}", file=sys.stderr)
