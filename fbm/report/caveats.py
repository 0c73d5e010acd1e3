"""Caveats of Table 1: what a reader must know beside the numbers."""

from collections.abc import Iterator, Sequence

from fbm.report.groups import Group, origins
from fbm.report.read.runs import CLIP, RunSet


def caveats(names: Sequence[str], among: Sequence[Group], found: RunSet) -> Iterator[str]:
    """Sentences on partly tested, untested and stale runs, and on what the intervals are over."""
    yield from _partial(among)
    untested = [run.summary.run for group in among for run in group if run.accuracy(CLIP) is None]
    if untested:
        yield f"Finished but not tested, so not in the test accuracies: {', '.join(untested)}."
    yield from _stale(found)
    yield from _several_pretrainings(names, among)
    yield from _several_splits(among)


def _partial(among: Sequence[Group]) -> Iterator[str]:
    """A sentence for each part of the test set that was tested in place of the whole."""
    parts: dict[str, list[str]] = {}
    for group in among:
        if group[0].partial:
            parts.setdefault(group[0].partial, []).extend(run.summary.run for run in group)
    for part, runs in parts.items():
        yield (
            f"Only {part} were tested (trainer.limit_test_batches) in {', '.join(runs)}: not the accuracy on the test "
            "set, never averaged or compared with it."
        )


def _stale(found: RunSet) -> Iterator[str]:
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


def _several_pretrainings(names: Sequence[str], among: Sequence[Group]) -> Iterator[str]:
    """Sentences on rows whose seeds start from several pretraining runs; none on those that share one or have none."""
    apart, shared = [], []
    for name, runs in zip(names, among, strict=True):
        starts = len(origins(runs))
        if starts > 1 and starts == len(runs):
            apart.append(name)
        elif starts > 1:
            shared.append(
                f"{name}: {len(runs)} runs start from {starts} pretraining runs, so they are not independent and the "
                "true interval is wider."
            )
    if apart:
        rows = "; ".join(dict.fromkeys(apart))
        yield f"{rows}: every seed has a pretraining run of its own, so intervals are over pretraining seeds too."
    yield from dict.fromkeys(shared)


def _several_splits(among: Sequence[Group]) -> Iterator[str]:
    """A sentence where the seeds of a row have official splits of their own."""
    several = [group for group in among if len({run.summary.fingerprints.data for run in group}) > 1]
    if splits := {run.summary.seed: run.split for group in several for run in group}:
        each = ", ".join(f"seed {seed} split {split}" for seed, split in sorted(splits.items()))
        yield f"Every seed has an official split of its own ({each}): means and differences are over splits, too."
