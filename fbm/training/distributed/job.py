"""What the ranks of one job and those who started them tell each other: a store of words that the lead hosts.

The ranks' process group meets in the same store. So its port is taken before any rank is started, and two jobs on one
machine cannot get in each other's way.
"""

import json
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from torch.distributed import PrefixStore, TCPStore  # type: ignore[attr-defined]  # public, but not in its __all__

PATIENCE = timedelta(seconds=300)  # for what another process says when it has got so far
HOME = "127.0.0.1"


@dataclass(frozen=True)
class RankFailure:
    """How a rank ended, where it did not end well.

    Attributes:
        kind: "user" for what a user can mend, "bug", "died" without a word, "lost" for another rank's death seen from
            here, or "stopped" because a signal asked for it.
        line: the reason, in one line.
        traceback: as Python prints it; empty where there is none.
        signum: of the signal, where it was stopped.
    """

    rank: int
    kind: str
    line: str
    traceback: str = ""
    signum: int = 0


class ControlStore:
    """One job's store.

    Args:
        address, port: where it is, or is to be; port 0 takes a free one.
        host: listen there, in place of looking for it.

    Raises:
        RuntimeError: nobody listens there.
    """

    def __init__(self, address: str = HOME, port: int = 0, host: bool = False, patience: timedelta = PATIENCE) -> None:
        self.address = address
        tcp = TCPStore(address, port, is_master=host, wait_for_workers=False, timeout=patience)
        self.port = int(tcp.port)
        self.store = PrefixStore("fbm", tcp)

    def say(self, key: str, value: str = "1") -> None:
        """For everyone to read, also later."""
        self.store.set(key, value)

    def said(self, key: str) -> str | None:
        """What was said, if it was."""
        return self.wait_for(key) if self.store.check([key]) else None

    def wait_for(self, key: str) -> str:
        """What is said, sooner or later."""
        text: bytes = self.store.get(key)
        return text.decode()

    def report(self, report: RankFailure) -> None:
        """Tell how a rank ended; what it told itself stays."""
        key = f"report/{report.rank}"
        if self.said(key) is None:
            self.say(key, json.dumps(asdict(report)))

    def reports(self, ranks: int) -> list[RankFailure]:
        """Of all ranks that did not end well."""
        told = [self.said(f"report/{rank}") for rank in range(ranks)]
        return [RankFailure(**json.loads(text)) for text in told if text is not None]


def read(text: str) -> dict[str, Any]:
    """What was said as JSON."""
    content: dict[str, Any] = json.loads(text)
    return content
