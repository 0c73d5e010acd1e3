"""What a user can mend: raised anywhere, printed by the command line as one line, never as a traceback."""

import io
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from contextlib import redirect_stderr


class UserError(ValueError):
    """Bad input. The message names what is wrong, where it is, and how to mend it."""


class InUseError(UserError):
    """Another process holds the folder that is asked for."""


class Stopped(BaseException):
    """A signal asked this process to leave; what it was doing is saved, and the message says how far it is.

    No `Exception`: nothing that mends or reports errors on the way may keep it from ending the process, with the exit
    status 128 + `signum`.
    """

    def __init__(self, signum: int, message: str) -> None:
        super().__init__(signum, message)  # both: a process that hands it to another makes it anew from these
        self.signum, self.message = signum, message

    def __str__(self) -> str:
        return self.message


def parsed(parser: ArgumentParser, words: Sequence[str], mixed: bool = False) -> Namespace:
    """What a command line says; with `mixed`, options may stand among the arguments.

    Raises:
        UserError: in place of argparse's whole usage, for what the parser refuses.
    """
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            return parser.parse_intermixed_args(words) if mixed else parser.parse_args(words)
    except SystemExit as stopped:
        if not stopped.code:  # it was asked for help
            raise
        reason = said.getvalue().strip().rpartition(": error: ")[2]
        raise UserError(f"{reason} (`{parser.prog} --help` says what there is)") from None
