import os
import signal
import threading

import pytest

from fbm.training.callbacks.signals import TERMINATION_SIGNALS, SignalTrap


def handlers() -> list[object]:
    return [signal.getsignal(signum) for signum in TERMINATION_SIGNALS]


def send(signum: int) -> None:
    os.kill(os.getpid(), signum)


@pytest.mark.parametrize("signum", TERMINATION_SIGNALS)
def test_a_signal_is_noted_and_everything_is_as_before_afterwards(signum):
    before = handlers()
    with SignalTrap() as signals:
        assert signals.received is None
        send(signum)
        assert signals.received == signum
    assert handlers() == before
    with signals:
        assert signals.received is None  # what was noted was for that block


def test_a_second_ctrl_c_interrupts_and_the_handlers_are_put_back():
    before = handlers()
    with SignalTrap() as signals:
        send(signal.SIGINT)
        assert signals.received == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGINT)
    assert handlers() == before


def test_handlers_that_others_put_in_its_place_are_taken_back():
    with SignalTrap() as signals:
        signal.signal(signal.SIGTERM, lambda *_: pytest.fail("another's"))
        signals.install()
        send(signal.SIGTERM)
        assert signals.received == signal.SIGTERM


def test_what_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as for a command that a script put into the background
    try:
        with SignalTrap() as signals:
            send(signal.SIGINT)
            assert signals.received is None
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_outside_the_main_thread_nothing_is_touched():
    before, seen = handlers(), []

    def work() -> None:
        with SignalTrap():
            seen.append(handlers())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]
