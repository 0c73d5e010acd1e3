"""Supervises a group of ranks to its end: forwards signals, and lets no rank outlive another's failure."""

import math
import time

from fbm.training.callbacks.signals import SignalTrap
from fbm.training.distributed.control_store import ControlStore
from fbm.training.distributed.worker_group import WorkerGroup

# All in seconds.
POLL_INTERVAL = 0.2
FAILURE_GRACE = 5.0  # for the other ranks to end by themselves after one has failed
SHUTDOWN_GRACE = 120.0  # for ranks to save and end after a signal
HEARTBEAT_INTERVAL = 1.0  # between the groups of several launching processes
HEARTBEAT_TIMEOUT = 10.0  # until a group without heartbeats counts as lost
STARTUP_TIMEOUT = 40.0  # until its first heartbeat


class Supervisor:
    """Waits for the end of this process's ranks, while the job's other groups are supervised by their own processes.

    Args:
        group: this process's ranks.
        store: the job's.
        index: of this group.
        groups: number of groups in the job.
    """

    def __init__(self, group: WorkerGroup, store: ControlStore, index: int = 0, groups: int = 1) -> None:
        self.group = group
        self.store = store
        self.index = index
        self.groups = groups
        self.deadline = math.inf  # ranks that run at this time are killed
        self.forwarded: int | None = None  # the last signal sent to the ranks
        self.last_beat = 0.0
        self.beats = {peer: ("", time.monotonic()) for peer in range(groups)}  # the newest of each, and since when
        self.silent: set[int] = set()  # groups without heartbeats for too long

    def wait(self) -> None:
        """Return when no rank of this process is left, for whatever reason.

        Raises:
            DistError, RuntimeError: the store's host is gone. No rank is left then either.
            KeyboardInterrupt: Ctrl-C, after an earlier signal. No rank is left then either.
        """
        with SignalTrap() as signals:
            try:
                while self.group.running and time.monotonic() < self.deadline:
                    self._forward(signals.received)
                    self._check_failures()
                    self._exchange_heartbeats()
                    time.sleep(POLL_INTERVAL)
            finally:
                self.group.kill()
        self._check_failures()  # of ranks that ended after the last poll
        self.store.set(f"over/{self.index}")

    def lost_group(self) -> int | None:
        """After `wait`: the first group whose process is gone, or does not end; None if all have ended."""
        if self.silent:
            return min(self.silent)
        groups = range(self.groups)
        return next((group for group in groups if self.store.poll(f"over/{group}", HEARTBEAT_TIMEOUT) is None), None)

    def _forward(self, signum: int | None) -> None:
        if signum is not None and signum != self.forwarded:
            self.forwarded = signum
            self.store.set("signal", str(signum))
            self.group.send(signum)
            self._end_within(SHUTDOWN_GRACE)

    def _check_failures(self) -> None:
        failures = self.group.failures()
        for failure in failures:
            self.store.report(failure)
        if failures or self.group.killed:
            self.store.set("failed")
        if self.store.try_get("failed"):
            self._end_within(FAILURE_GRACE)
        if self.group.stopping:
            self._end_within(SHUTDOWN_GRACE)

    def _end_within(self, seconds: float) -> None:
        """Set the deadline; an earlier one stands."""
        self.deadline = min(self.deadline, time.monotonic() + seconds)

    def _exchange_heartbeats(self) -> None:
        now = time.monotonic()
        if self.groups == 1 or now - self.last_beat < HEARTBEAT_INTERVAL:
            return
        self.last_beat = now
        self.store.set(f"beat/{self.index}", str(now))
        for peer, (beat, since) in self.beats.items():
            newest = self.store.try_get(f"beat/{peer}") or ""
            if newest != beat or self.store.try_get(f"over/{peer}"):
                self.beats[peer] = (newest, now)
            elif now - since > (HEARTBEAT_TIMEOUT if beat else STARTUP_TIMEOUT):
                self.silent.add(peer)
                self.store.set("failed")
