"""Run of a study what is not done yet, in waves: every run that needs nothing unfinished, then what these allow."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

from fbm.progress import Advance, progress
from fbm.study.engine import Engine
from fbm.study.plan import Job

TRIES = 2  # of a job whose process died: with several at once nobody says whose fault it was
CHANGED = "it ended well, but with other settings than planned: a config file changed meanwhile; start the study again"
PAUSE = 2.0  # seconds between two looks at runs that somebody else is at

Failures = dict[Path, str]


def run(engine: Engine, jobs: Sequence[Job]) -> Failures:
    """Bring every job to its end that can be; what another process is at is waited for.

    Returns:
        Run folder to reason, of those that failed.
    """
    failed: Failures = {}
    tries: Counter[Path] = Counter()
    told: set[Path] = set()
    with _watched([job for job in jobs if not job.finished]):
        while left := [job for job in jobs if job.folder not in failed and not job.finished]:
            failed |= {
                job.folder: f"not run: it needs {job.needs}, which failed" for job in left if job.needs in failed
            }
            unmet = {job.folder for job in left}
            ready = [job for job in left if job.folder not in failed and job.needs not in unmet]
            free = [job for job in ready if not job.running]
            if not free:
                told = _wait(ready, told)
                continue
            tries.update(job.folder for job in free)
            for job, outcome in zip(free, engine.run(free), strict=True):
                again = outcome.in_use or (outcome.died and tries[job.folder] < TRIES)
                if not again and not job.finished:
                    failed[job.folder] = outcome.reason or CHANGED
    return failed


def _wait(jobs: Sequence[Job], told: set[Path]) -> set[Path]:
    """A pause for runs that another process is at; each is named once."""
    for job in jobs:
        if job.folder not in told:
            print(f"{job.folder}: another fbm is at it; waiting for its end")
    time.sleep(PAUSE if jobs else 0)
    return told | {job.folder for job in jobs}


@contextmanager
def _watched(jobs: Sequence[Job]) -> Iterator[None]:
    """A bar that moves when a run's summary appears, whichever process or machine wrote it."""
    over = Event()
    with progress("runs", len(jobs), "runs") as advance:
        watcher = Thread(target=_watch, args=(list(jobs), advance, over), daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()


def _watch(jobs: list[Job], advance: Advance, over: Event) -> None:
    last = False
    while jobs:
        done = [job for job in jobs if job.finished]
        for _ in done:
            advance()
        jobs = [job for job in jobs if job not in done]
        if last:
            return
        last = over.wait(1)
