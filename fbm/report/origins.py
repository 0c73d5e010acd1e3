"""Which pretraining runs the seeds of a row start from, and what its interval therefore says."""

from collections.abc import Iterable, Sequence

from fbm.report.runs import Run


def origin(run: Run) -> str | None:
    """STUDY/RUN of the pretraining whose encoder `run` started from; its checkpoint in older runs; None for none."""
    said = run.summary.pretraining
    if said is not None:
        return f"{said.study}/{said.run}" if said.run else said.folder
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


def shared(rows: Iterable[Sequence[Run]]) -> bool:
    """Whether any row's seeds share their pretraining run."""
    return any(len(origins(runs)) == 1 < len(runs) for runs in rows)
