"""Run the unfinished jobs of a study in waves: first those without dependencies, then those that depend on them."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

from fbm.study.job import Job
from fbm.study.launcher import JobResult, Launcher
from fbm.utils.progress import Advance, progress

CHANGED = "it finished with other settings than planned, as a config file was changed meanwhile; start the study again"
PAUSE = 2.0  # seconds between checks of runs of other processes

Failures = dict[Path, str]


def run(launcher: Launcher, jobs: Sequence[Job]) -> Failures:
    """Run all jobs, and wait for those that another process runs.

    If a worker process dies, the job at fault is unknown: all jobs that it had started are retried, one at a time.

    Returns:
        Run folder to reason, of those that failed.
    """
    failed: Failures = {}
    crashed_jobs: list[Job] = []
    waiting: set[Path] = set()
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
                waiting = _wait(ready, waiting)
                continue
            batch = alone or free
            outcomes = launcher.run(batch)
            failed |= _failures(batch, outcomes)
            crashed_jobs = [job for job in crashed_jobs if job not in alone] + _crashed(batch, outcomes, failed)
    return failed


def _failures(batch: Sequence[Job], outcomes: Sequence[JobResult]) -> Failures:
    """The jobs of a batch that failed for good, with the reason."""
    # A lone job is at fault itself; if none was started, the launcher is.
    final = len(batch) == 1 or not any(job.started for job in batch)
    return {
        job.folder: outcome.reason or CHANGED
        for job, outcome in zip(batch, outcomes, strict=True)
        if not job.finished and not outcome.is_locked and (final or not outcome.died)
    }


def _crashed(batch: Sequence[Job], outcomes: Sequence[JobResult], failed: Failures) -> list[Job]:
    died = [job for job, outcome in zip(batch, outcomes, strict=True) if outcome.died and job.folder not in failed]
    started = [job for job in died if job.started]
    if started:
        named = ", ".join(str(job.folder) for job in started)
        print(f"a process died; retrying its runs one at a time: {named}")
    return started


def _wait(jobs: Sequence[Job], reported: set[Path]) -> set[Path]:
    """Pause for runs of other processes; each is reported once."""
    for job in jobs:
        if job.folder not in reported:
            print(f"{job.folder}: another fbm is running it; waiting")
    time.sleep(PAUSE if jobs else 0)
    return reported | {job.folder for job in jobs}


@contextmanager
def _progress(jobs: Sequence[Job]) -> Iterator[None]:
    """A progress bar that advances when a run's summary appears, written by any process or machine."""
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
