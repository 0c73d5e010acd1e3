"""The pretraining runs that the seeds of a row start from: effect on its interval, and outdated ones."""

from collections.abc import Iterable, Iterator, Sequence

from fbm.report.read.runs import Run, RunSet


def origin(run: Run) -> str | None:
    """STUDY/RUN of the pretraining whose encoder `run` started from; its checkpoint in older runs; None for none."""
    start = run.summary.pretraining
    if start is not None:
        return f"{start.study}/{start.run}" if start.run else start.folder
    checkpoint = (run.config().get("init") or {}).get("checkpoint")
    return None if checkpoint is None else str(checkpoint)


def origins(runs: Iterable[Run]) -> list[str]:
    """Distinct pretraining runs, sorted."""
    return sorted({start for run in runs if (start := origin(run)) is not None})


def varying(name: str, runs: Sequence[Run]) -> str:
    """A sentence on a row whose seeds start from several pretraining runs; empty where they share one or have none."""
    starts = len(origins(runs))
    if starts < 2:
        return ""
    if starts == len(runs):
        return f"{name}: every seed has a pretraining run of its own, so its interval is over pretraining seeds too."
    return (
        f"{name}: {len(runs)} runs start from {starts} pretraining runs, so they are not independent and the true "
        "interval is wider."
    )


def stale(found: RunSet) -> Iterator[str]:
    """A sentence for each pretraining run that was repeated with other settings after classifications had used it.

    Needs the pretraining run among the runs, and its fingerprint in the summaries of the classifications.
    """
    now: dict[tuple[str | None, str | None], set[str]] = {}
    for run in found.runs:
        now.setdefault((run.summary.study, run.summary.run), set()).add(run.summary.fingerprints.config)
    outdated: dict[str, list[str]] = {}
    for run in found.of("classify"):
        start = run.summary.pretraining
        versions = now.get((start.study, start.run)) if start else None
        if start and start.fingerprint and versions and start.fingerprint not in versions:
            outdated.setdefault(f"{start.study}/{start.run}", []).append(run.summary.run)
    for source, runs in outdated.items():
        again = "them" if len(runs) > 1 else runs[0]
        yield f"{', '.join(runs)} started from an earlier version of {source}: run {again} again with overwrite=true."


def shared(rows: Iterable[Sequence[Run]]) -> bool:
    """Whether all seeds of any row start from one pretraining run."""
    return any(len(origins(runs)) == 1 < len(runs) for runs in rows)
