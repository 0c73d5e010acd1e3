"""Caveats of Table 1: what a reader must know beside the numbers."""

from collections.abc import Iterator, Sequence

from fbm.report.groups import Group, compared_keys, comparisons_of, declared_apart, name
from fbm.report.labels import FRACTION
from fbm.report.lineage import stale, varying
from fbm.report.read.runs import CLIP, RunSet


def notes(among: Sequence[Group], found: RunSet) -> Iterator[str]:
    """Sentences on how far the rows may be compared, what the intervals are over, and on partly tested, untested and
    stale runs."""
    if len(comparisons_of(among)) > 1:
        yield _compared(among)
    yield from _partial(among)
    untested = [run.summary.run for group in among for run in group if run.accuracy(CLIP) is None]
    if untested:
        yield f"Finished but not tested, so not in the test accuracies: {', '.join(untested)}."
    yield from stale(found)
    sentences = (varying(name(group, among), group) for group in among)
    yield from dict.fromkeys(sentence for sentence in sentences if sentence)


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


def _compared(among: Sequence[Group]) -> str:
    keys = compared_keys(among)
    if len({group[0].partial for group in among}) > 1:
        keys = [*keys, "the clips that were tested"]
    if not declared_apart(among):
        return f"Not one fair comparison: rows differ in more than the initialization ({_named(keys)})."
    if keys == [FRACTION]:
        return "Initializations are compared within one share of the labels, never across shares."
    return f"Initializations are compared where these are equal, never across them: {_named(keys)}."


def _named(keys: Sequence[str]) -> str:
    return ", ".join(keys) or "see their config.yaml"
