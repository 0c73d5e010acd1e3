"""Measures that end in time, by a clock of the test's own."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.cases import Case, OutOfTimeError, Record, run_cases
from fbm.utils.errors import UserError

EXPECTED = {"short": 10.0, "long": 100.0}
HEADING = {"machine": "a", "versions": {"torch": "1"}}


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0
        self.ran: list[str] = []

    def __call__(self) -> float:
        return self.now

    def case(self, name: str, seconds: float, kind: str = "short", ends: BaseException | None = None) -> Case:
        """Takes so long, and finds how long, or ends otherwise."""

        def measure() -> dict[str, Any]:
            self.ran.append(name)
            self.now += seconds
            if ends is not None:
                raise ends
            return {"took": seconds}

        return Case(name, kind, measure)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def run(clock: Clock, place: Path, cases: list[Case], seconds: float) -> Record:
    record = Record(place / "results.json", HEADING)
    run_cases(cases, record, clock.now + seconds, EXPECTED, clock=clock)
    return record


def statuses(record: Record) -> dict[str, str]:
    return {name: outcome.status for name, outcome in record.outcomes.items()}


def test_each_outcome_is_in_the_file_before_the_next_case_begins(clock, tmp_path):
    seen: list[tuple[str, Any]] = []

    def look() -> dict[str, Any]:
        content = json.loads((tmp_path / "results.json").read_text())
        seen.extend((row["name"], row["found"]) for row in content["outcomes"])
        return {}

    record = run(clock, tmp_path, [clock.case("a", 3), Case("b", "short", look)], 100)
    assert seen == [("a", {"took": 3})]
    assert statuses(record) == {"a": "done", "b": "done"}
    assert record.outcomes["a"].seconds == 3


def test_what_does_not_fit_is_named_and_what_fits_is_still_measured(clock, tmp_path):
    cases = [clock.case("a", 15), clock.case("b", 1, "long"), clock.case("c", 1), clock.case("d", 1)]
    record = run(clock, tmp_path, cases, 31)
    assert clock.ran == ["a", "c", "d"]
    assert statuses(record) == {"a": "done", "b": "no time", "c": "done", "d": "done"}
    assert record.outcomes["b"].why == "16 s were left, it takes up to 100"


def test_the_longest_of_a_kind_says_what_the_next_takes(clock, tmp_path):
    record = run(clock, tmp_path, [clock.case("a", 15), clock.case("b", 1)], 29)
    assert record.outcomes["b"].why == "14 s were left, it takes up to 15"


def test_what_was_measured_counts_more_than_what_was_expected_and_a_failure_measures_nothing(clock, tmp_path):
    cases = [clock.case("a", 5, "long"), clock.case("b", 1, "short", ValueError("x")), clock.case("c", 5, "long")]
    record = run(clock, tmp_path, [*cases, clock.case("d", 1)], 100 + 1)
    assert clock.ran == ["a", "b", "c", "d"]
    clock.ran.clear()
    again = [clock.case("a", 5, "long"), clock.case("b", 1, "short", ValueError("x")), clock.case("e", 5, "long")]
    record = run(clock, tmp_path, again, 6)
    assert clock.ran == ["e"]
    assert record.outcomes["b"].why == "6 s were left, it takes up to 10"


def test_a_case_that_fails_leaves_the_others_their_turn(clock, tmp_path):
    cases = [
        clock.case("memory", 1, ends=torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 3.00 GiB.")),
        clock.case("error", 1, ends=ValueError("two\nlines")),
        clock.case("good", 1),
    ]
    record = run(clock, tmp_path, cases, 100)
    assert statuses(record) == {"memory": "failed", "error": "failed", "good": "done"}
    assert record.outcomes["memory"].why.startswith("out of memory on the GPU (3.00 GiB more were asked for)")
    assert record.outcomes["error"].why == "ValueError: two"
    assert "in measure" in record.outcomes["error"].trace


def test_a_case_that_time_breaks_off_is_not_done_and_no_other_begins(clock, tmp_path):
    cases = [clock.case("a", 60, ends=OutOfTimeError()), clock.case("b", 1)]
    record = run(clock, tmp_path, cases, 50)
    assert clock.ran == ["a"]
    assert statuses(record) == {"a": "no time", "b": "no time"}
    assert record.outcomes["a"].why == "the time was over in the middle of it"


def test_the_alarm_breaks_off_what_catches_errors_and_is_off_afterwards(clock, tmp_path):
    def waits() -> dict[str, Any]:
        try:
            signal.raise_signal(signal.SIGALRM)  # as the timer does
        except Exception:
            return {"caught": True}
        return {}

    before = signal.getsignal(signal.SIGALRM)
    record = run(clock, tmp_path, [Case("a", "short", waits)], 1000)
    assert statuses(record) == {"a": "no time"}
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_kill_is_no_failure_of_a_case(clock, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(clock, tmp_path, [clock.case("a", 1), clock.case("b", 1, ends=KeyboardInterrupt())], 100)
    assert statuses(Record(tmp_path / "results.json", HEADING)) == {"a": "done"}


def test_a_later_call_measures_what_is_not_done_and_keeps_the_rest(clock, tmp_path):
    first = [clock.case("a", 20), clock.case("b", 1, ends=ValueError("x")), clock.case("c", 1, "long")]
    run(clock, tmp_path, first, 50)
    clock.ran.clear()
    again = [clock.case("a", 1), clock.case("b", 2), clock.case("c", 3, "long"), clock.case("d", 1)]
    record = run(clock, tmp_path, again, 125)
    assert clock.ran == ["b", "c", "d"]
    assert statuses(record) == dict.fromkeys("abcd", "done")
    assert record.outcomes["a"].found == {"took": 20}
    assert record.outcomes["b"].why == ""


def test_a_later_call_knows_how_long_cases_of_a_kind_took(clock, tmp_path):
    run(clock, tmp_path, [clock.case("a", 20)], 50)
    record = run(clock, tmp_path, [clock.case("a", 1), clock.case("b", 1)], 19)
    assert record.outcomes["b"].why == "19 s were left, it takes up to 20"


def test_results_of_something_else_are_refused_and_stay(clock, tmp_path):
    run(clock, tmp_path, [clock.case("a", 1)], 50)
    path = tmp_path / "results.json"
    before = path.read_text()
    with pytest.raises(UserError, match=r"results.json: written with another steps, versions; give another place"):
        Record(path, {**HEADING, "versions": {"torch": "2"}, "steps": 3})
    assert path.read_text() == before


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"heading": {}, "outcomes": [{"names": 1}]}'])
def test_a_file_that_is_no_record_is_refused_in_one_line(tmp_path, content):
    (tmp_path / "results.json").write_text(content)
    with pytest.raises(UserError, match="not what an earlier call wrote") as refused:
        Record(tmp_path / "results.json", HEADING)
    assert "\n" not in str(refused.value)


def test_a_place_that_cannot_be_written_is_refused_before_anything_is_measured(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"file/results\.json: cannot be written \("):
        Record(tmp_path / "file" / "results.json", HEADING)
