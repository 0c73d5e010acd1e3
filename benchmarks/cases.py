"""Measures in one process that must end in time: each result is written at once, and a later call skips the done."""

import json
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from fbm.utils.errors import UserError
from fbm.utils.files import write_text
from fbm.utils.memory import out_of_memory


class OutOfTimeError(BaseException):
    """The time is over in the middle of a case. Nothing that catches errors should catch it."""


@dataclass(frozen=True)
class Case:
    """Something to measure.

    Attributes:
        kind: cases of one kind take about as long.
        measure: gives what is found, as JSON holds it.
    """

    name: str
    kind: str
    measure: Callable[[], dict[str, Any]]


@dataclass(frozen=True)
class Outcome:
    """What became of a case: `found` where it is done, otherwise `why` not; `trace` where a program failed."""

    name: str
    kind: str
    status: Literal["done", "failed", "no time"]
    seconds: float = 0.0
    found: dict[str, Any] = field(default_factory=dict)
    why: str = ""
    trace: str = ""


class Record:
    """The outcomes so far, by case, in a JSON file that is whole at any moment.

    Args:
        path: of the file; what it holds already is kept, for cases that are done are not measured again.
        heading: what the outcomes belong to, as JSON holds it: machine, versions, settings.

    Raises:
        UserError: the file belongs to something else, or cannot be read or written.
    """

    def __init__(self, path: Path, heading: dict[str, Any]) -> None:
        self.path, self.heading = path, heading
        self.outcomes: dict[str, Outcome] = {}
        if path.exists():
            self._read()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._write()
        except OSError as error:  # now, not when the first case has been measured
            raise UserError(f"{path}: cannot be written ({error.strerror})") from error

    def _read(self) -> None:
        try:
            content = json.loads(self.path.read_text())
            heading, rows = content["heading"], content["outcomes"]
            self.outcomes = {row["name"]: Outcome(**row) for row in rows}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{self.path}: not what an earlier call wrote ({error}); remove it") from error
        names = sorted(key for key in heading.keys() | self.heading.keys() if heading.get(key) != self.heading.get(key))
        if names:
            raise UserError(f"{self.path}: written with another {', '.join(names)}; give another place, or remove it")

    def done(self, name: str) -> bool:
        """Whether a case needs no other try."""
        return name in self.outcomes and self.outcomes[name].status == "done"

    def put(self, outcome: Outcome) -> None:
        """Keep an outcome, in memory and in the file."""
        self.outcomes[outcome.name] = outcome
        self._write()

    def _write(self) -> None:
        content = {"heading": self.heading, "outcomes": [asdict(each) for each in self.outcomes.values()]}
        write_text(self.path, json.dumps(content, indent=1) + "\n")


def run_cases(
    cases: Sequence[Case],
    record: Record,
    end: float,
    expected: Mapping[str, float],
    report: Callable[[Outcome], None] = lambda outcome: None,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Measure what is not done, in order; a case begins only where it should end in time.

    A case that fails is kept as such, with the reason, and the next one is tried.

    Args:
        end: on the clock. A case that is still at it then is broken off.
        expected: seconds of a case by kind; once one of the kind is done, the longest of those counts.
        report: called after each case that is not done already.
    """
    longest: dict[str, float] = {}
    for case in cases:
        if record.done(case.name):
            outcome = record.outcomes[case.name]
            longest[case.kind] = max(longest.get(case.kind, 0), outcome.seconds)
            continue
        began, takes = clock(), longest.get(case.kind, expected[case.kind])
        if began + takes > end:
            why = f"{max(0, end - began):.0f} s were left, it takes up to {takes:.0f}"
            outcome = Outcome(case.name, case.kind, "no time", why=why)
        else:
            outcome = _run(case, end - began, clock)
            if outcome.status == "done":
                longest[case.kind] = max(longest.get(case.kind, 0), outcome.seconds)
        record.put(outcome)
        report(outcome)


def _run(case: Case, left: float, clock: Callable[[], float]) -> Outcome:
    began = clock()
    try:
        with _broken_off_after(left):
            found = case.measure()
        return Outcome(case.name, case.kind, "done", clock() - began, found)
    except OutOfTimeError:
        return Outcome(case.name, case.kind, "no time", clock() - began, why="the time was over in the middle of it")
    except Exception as error:  # whatever it is, the other cases are still worth measuring
        why = out_of_memory(error) or f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
        return Outcome(case.name, case.kind, "failed", clock() - began, why=why, trace=traceback.format_exc())


@contextmanager
def _broken_off_after(seconds: float) -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise OutOfTimeError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-3))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
