"""The key-value store through which launching processes and ranks talk: torch's TCPStore, hosted by the leader.

The ranks' process group uses the same store. So its port is bound before any rank is started, and two jobs on one
machine cannot take each other's.
"""

import json
import math
import time
from dataclasses import asdict
from datetime import timedelta

from torch.distributed import PrefixStore, TCPStore  # type: ignore[attr-defined]  # public, but not in its __all__

from fbm.training.distributed.failures import RankFailure

LOCALHOST = "127.0.0.1"
TIMEOUT = timedelta(seconds=300)  # to connect, and of a blocking `get`
POLL_INTERVAL = 0.1  # seconds


class ControlStore:
    """A namespace of fbm's own in a TCPStore.

    Args:
        address, port: where it is, or is to be; port 0 takes a free one.
        host: listen there instead of connecting.

    Raises:
        DistError, RuntimeError: on creation, if the address cannot be reached or bound; in all methods, if the
            host is gone.
    """

    def __init__(self, address: str = LOCALHOST, port: int = 0, host: bool = False) -> None:
        tcp = TCPStore(address, port, is_master=host, wait_for_workers=False, timeout=TIMEOUT)
        self.address = address
        self.port = int(tcp.port)
        self.store = PrefixStore("fbm", tcp)

    def set(self, key: str, value: str = "1") -> None:
        """Set a key, for all processes."""
        self.store.set(key, value)

    def get(self, key: str) -> str:
        """The value of a key; blocks until it is set."""
        value: bytes = self.store.get(key)
        return value.decode()

    def try_get(self, key: str) -> str | None:
        """The value of a key, None if it is not set."""
        return self.get(key) if self.store.check([key]) else None

    def poll(self, key: str, timeout: float = math.inf) -> str | None:
        """As `get`, but interruptible by signals; None after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while (value := self.try_get(key)) is None and time.monotonic() < deadline:
            time.sleep(POLL_INTERVAL)
        return value

    def report(self, failure: RankFailure) -> None:
        """Record how a rank failed; the first report of a rank stands."""
        key = f"failure/{failure.rank}"
        if self.try_get(key) is None:
            self.set(key, json.dumps(asdict(failure)))

    def failures(self, world_size: int) -> list[RankFailure]:
        """The reports of all ranks that failed or were stopped."""
        reports = [self.try_get(f"failure/{rank}") for rank in range(world_size)]
        return [RankFailure(**json.loads(report)) for report in reports if report is not None]
