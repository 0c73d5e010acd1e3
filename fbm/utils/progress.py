"""One kind of progress for all long work, on standard error: a bar on a terminal, in a log a line now and then."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from fbm.utils.durations import duration

PAUSE = 30.0  # seconds between lines of progress
SLOW = 0.1  # units a second; a lower rate tells less than the time that is left


class Advance(Protocol):
    """Called when one or more pieces are done."""

    def __call__(self, count: int = 1) -> None: ...


class _Rate(ProgressColumn):
    def __init__(self, unit: str) -> None:
        super().__init__()
        self.unit = unit

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f} {self.unit}/s" if speed and speed >= SLOW else "", style="progress.data.speed")


@contextmanager
def progress(what: str, total: int, unit: str) -> Iterator[Advance]:
    """Show progress while the block runs; the value it gives is called once for every `unit` done."""
    console = Console(stderr=True)
    if not total:
        yield lambda count=1: None
        return
    if not (console.is_terminal or console.is_jupyter):
        began = time.monotonic()
        with progress_lines(what, total, unit) as advance:
            yield advance
        if (taken := time.monotonic() - began) >= PAUSE:
            print(f"{what}: {total:,} {unit} in {duration(taken)}", file=sys.stderr, flush=True)
        return
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), _Rate(unit), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(what, total=total)
        yield lambda count=1: bar.advance(task, count)


@contextmanager
def progress_lines(what: str, total: int, unit: str) -> Iterator[Advance]:
    """Like `progress` in a log also on a terminal, which several processes share."""
    began = last = time.monotonic()
    done = 0

    def advance(count: int = 1) -> None:
        nonlocal last, done
        done += count
        now = time.monotonic()
        if now - last >= PAUSE and done < total:
            last, speed = now, done / (now - began)
            rate = f"{speed:.1f} {unit}/s, " if speed >= SLOW else ""
            left = f"{duration((total - done) / speed)} left"
            print(f"{what}: {done:,} of {total:,} {unit}, {rate}{left}", file=sys.stderr, flush=True)

    yield advance
