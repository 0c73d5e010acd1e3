"""Signals that ask a process to leave, noted until it can."""

import signal
import threading
from collections.abc import Sequence
from types import FrameType, TracebackType
from typing import Any

ASKING = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)  # a scheduler's end, SLURM's warning before it, Ctrl-C


class SignalTrap:
    """While its block runs, a signal is noted in `received` in place of ending the process.

    A second Ctrl-C interrupts at once. What was ignored before stays ignored, and outside the main thread, where Python
    allows no handler, everything stays as it is. Processes forked inside are as deaf: a signal to the whole group, as
    schedulers and terminals send it, leaves the data workers at work until this process leaves.

    Args:
        asking: the signals.
    """

    def __init__(self, asking: Sequence[signal.Signals] = ASKING) -> None:
        self.asking = asking
        self.received: int | None = None
        self.before: dict[int, Any] = {}

    def __enter__(self) -> "SignalTrap":
        self.received = None
        if threading.current_thread() is threading.main_thread():
            handlers = {signum: signal.getsignal(signum) for signum in self.asking}
            self.before = {signum: handler for signum, handler in handlers.items() if handler != signal.SIG_IGN}
        self.install()
        return self

    def install(self) -> None:
        """Take the handlers back from whoever has put others in their place meanwhile."""
        for signum in self.before:
            signal.signal(signum, self._note)

    def _note(self, signum: int, frame: FrameType | None) -> None:
        if signum == signal.SIGINT and self.received is not None:
            raise KeyboardInterrupt
        self.received = signum

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for signum, handler in self.before.items():
            signal.signal(signum, signal.SIG_DFL if handler is None else handler)
        self.before = {}
