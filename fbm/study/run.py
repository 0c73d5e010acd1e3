"""Run of a study what is not done yet, in waves: every run that needs nothing unfinished, then what these allow."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

from fbm.study.job import Job
from fbm.study.launcher import JobResult, Launcher
from fbm.utils.progress import Advance, progress

CHANGED = "it ended well, but with other settings than planned: a config file changed meanwhile; start the study again"
PAUSE = 2.0  # seconds between two looks at runs that somebody else is at

Failures = dict[Path, str]


def run(launcher: Launcher, jobs: Sequence[Job]) -> Failures:
    """Bring every job to its end that can be; what another process is at is waited for.

    Where a process died, nobody says whose fault it was: what it had begun is started again, one at a time.

    Returns:
        Run folder to reason, of those that failed.
    """
    failed: Failures = {}
    crashed_jobs: list[Job] = []
    told: set[Path] = set()
    with _progress([job for job in jobs if not job.finished]):
        while left := [job for job in jobs if job.folder not in failed and not job.finished]:
            failed |= {
                job.folder: f"not run: it needs {job.needs}, which failed" for job in left if job.needs in failed
            }
            unmet = {job.folder for job in left}
            ready = [job for job in left if job.folder not in failed and job.needs not in unmet]
            free = [job for job in ready if not job.running]
            alone = [job for job in crashed_jobs if job in free][:1]
            if not free:
                told = _wait(ready, told)
                continue
            batch = alone or free
            outcomes = launcher.run(batch)
            failed |= _failures(batch, outcomes)
            crashed_jobs = [job for job in crashed_jobs if job not in alone] + _crashed(batch, outcomes, failed)
    return failed


def _failures(batch: Sequence[Job], outcomes: Sequence[JobResult]) -> Failures:
    """Of a batch, those that need not be tried again, with the reason."""
    # A death is a job's own where it was alone, and the launcher's where none was begun.
    final = len(batch) == 1 or not any(job.started for job in batch)
    return {
        job.folder: outcome.reason or CHANGED
        for job, outcome in zip(batch, outcomes, strict=True)
        if not job.finished and not outcome.is_locked and (final or not outcome.died)
    }


def _crashed(batch: Sequence[Job], outcomes: Sequence[JobResult], failed: Failures) -> list[Job]:
    died = [job for job, outcome in zip(batch, outcomes, strict=True) if outcome.died and job.folder not in failed]
    begun = [job for job in died if job.started]
    if begun:
        named = ", ".join(str(job.folder) for job in begun)
        print(f"a process ended without a word; started again, one at a time: {named}")
    return begun


def _wait(jobs: Sequence[Job], told: set[Path]) -> set[Path]:
    """A pause for runs that another process is at; each is named once."""
    for job in jobs:
        if job.folder not in told:
            print(f"{job.folder}: another fbm is at it; waiting for its end")
    time.sleep(PAUSE if jobs else 0)
    return told | {job.folder for job in jobs}


@contextmanager
def _progress(jobs: Sequence[Job]) -> Iterator[None]:
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
