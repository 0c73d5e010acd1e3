"""Errors that a user can fix: raised anywhere, printed by the command line as one line without a traceback."""

import io
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Sequence
from contextlib import redirect_stderr
from pathlib import Path


class UserError(ValueError):
    """Bad input. The message names the fault, its place, and how to fix it."""


class InUseError(UserError):
    """Another process has locked the folder."""


class Stopped(BaseException):
    """A signal has ended the work of this process; the message says what is saved.

    Not an `Exception`, so that no handler of errors keeps it from ending the process, with exit status 128 + `signum`.
    """

    def __init__(self, signum: int, message: str) -> None:
        super().__init__(signum, message)  # both, so that it can be pickled
        self.signum, self.message = signum, message

    def __str__(self) -> str:
        return self.message


def existing_folder(path: str) -> Path:
    """The `type` of a command line's argument: a folder that must exist."""
    if not Path(path).is_dir():
        raise ArgumentTypeError(f"{path}: no such folder")
    return Path(path)


def parsed(parser: ArgumentParser, words: Sequence[str], mixed: bool = False) -> Namespace:
    """Parse a command line; with `mixed`, options may stand between the arguments.

    Raises:
        UserError: for an invalid command line, without argparse's usage text.
    """
    output = io.StringIO()
    try:
        with redirect_stderr(output):
            return parser.parse_intermixed_args(words) if mixed else parser.parse_args(words)
    except SystemExit as stopped:
        if not stopped.code:  # after --help
            raise
        reason = output.getvalue().strip().rpartition(": error: ")[2]
        raise UserError(f"{reason} (see `{parser.prog} --help`)") from None
