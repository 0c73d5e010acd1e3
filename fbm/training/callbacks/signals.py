"""Signals that ask a process to end, recorded until it can."""

import signal
import threading
from collections.abc import Sequence
from types import FrameType, TracebackType
from typing import Any

TERMINATION_SIGNALS = (
    signal.SIGTERM,
    signal.SIGUSR1,
    signal.SIGINT,
)  # a scheduler's end, SLURM's warning before it, Ctrl-C


class SignalTrap:
    """Inside the block a signal is recorded in `received` and does not end the process.

    A second Ctrl-C interrupts at once. Signals that were ignored stay ignored, and outside the main thread, where
    Python allows no handler, nothing changes. Forked processes inherit the handlers: a signal to the whole process
    group, as schedulers and terminals send it, does not end the data workers first.

    Args:
        signals: to record.
    """

    def __init__(self, signals: Sequence[signal.Signals] = TERMINATION_SIGNALS) -> None:
        self.signals = signals
        self.received: int | None = None
        self.before: dict[int, Any] = {}

    def __enter__(self) -> "SignalTrap":
        self.received = None
        if threading.current_thread() is threading.main_thread():
            handlers = {signum: signal.getsignal(signum) for signum in self.signals}
            self.before = {signum: handler for signum, handler in handlers.items() if handler != signal.SIG_IGN}
        self.install()
        return self

    def install(self) -> None:
        """Install the handlers again, where other code has replaced them."""
        for signum in self.before:
            signal.signal(signum, self._record)

    def _record(self, signum: int, frame: FrameType | None) -> None:
        if signum == signal.SIGINT and self.received is not None:
            raise KeyboardInterrupt
        self.received = signum

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for signum, handler in self.before.items():
            signal.signal(signum, signal.SIG_DFL if handler is None else handler)
        self.before = {}
