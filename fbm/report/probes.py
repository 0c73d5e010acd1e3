"""What `fbm analyse` measured of pretrained features (`probes.json`) as tables: linear probes and retrieval."""

from collections.abc import Iterator, Mapping, Sequence

from fbm.report import numbers
from fbm.report.stats import INTERVALS, estimate
from fbm.report.table import Table
from fbm.runs.probes import OWN_FACTOR, Probe, ProbeReport, Retrieval

PARTS = (*OWN_FACTOR, "all")
UNTRAINED = "all, untrained"
FACTORS = (*OWN_FACTOR.values(), "class")
OWN = f"the parts are meant to hold: {', '.join(f'{part} the {factor}' for part, factor in OWN_FACTOR.items())}"
CHANCE = (
    "chance: one in so many classes, or the share of the commonest class in the test clips where that is larger; an "
    "interval that begins below it does not tell the accuracy from chance"
)
POOLED = (
    "R@k: the share of test videos of whose k nearest training videos any has their class; by the cosine similarity of "
    "mean features, over a video's chunks (the middle clip of each) and over space and time"
)


def probes_table(runs: Sequence[tuple[str, ProbeReport]]) -> Table | None:
    """The probes of named runs below each other, parts by factors; None if no run has any."""
    probed = [(name, report) for name, report in runs if report.probes]
    if not probed:
        return None
    made = [probe for _, report in probed for probe in report.probes]
    there = {probe.factor for probe in made}
    factors = [factor for factor in FACTORS if factor in there]
    rows = [row for name, report in probed for row in _probed(name, report, factors)]
    intervals = dict.fromkeys(report.interval for _, report in probed)
    clips = dict.fromkeys((numbers.count(probe.train_clips), numbers.count(probe.test_clips)) for probe in made)
    caption = (
        "Per cent of test clips for which a linear probe reads a factor off one part of the frozen feature; in "
        f"brackets its interval ({'; '.join(intervals)})."
    )
    sizes = " or ".join(f"{train} clips, tested on {test}" for train, test in clips)
    head = ("Part of the feature", *factors, "Effective rank")
    return Table(head, tuple(rows), "Linear probes", caption, remarks=(OWN, CHANCE, f"probes are trained on {sizes}"))


def _probed(name: str, report: ProbeReport, factors: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """A heading, the parts that were probed, the untrained encoder, and chance."""
    if score := report.diagonality:  # of an earlier fbm; now in the table of scores
        name = f"{name}; diagonality {score.value:.2f} ({score.low:.2f} to {score.high:.2f})"
    yield (name, *[""] * (len(factors) + 1))
    parts = [(part, [p for p in report.probes if p.part == part], report.effective_rank.get(part)) for part in PARTS]
    for part, probes, rank in (*parts, (UNTRAINED, report.control, report.control_effective_rank)):
        if probes:
            cells = {probe.factor: _accuracy(probe) for probe in probes}
            yield (part, *(cells.get(factor, numbers.DASH) for factor in factors), numbers.decimal(rank))
    chances = {probe.factor: numbers.percent(probe.chance) for probe in report.probes}
    yield ("chance", *(chances.get(factor, numbers.DASH) for factor in factors), "")


def _accuracy(probe: Probe) -> str:
    """In whole per cent, as test clips are few: `62 (54 to 70)`."""
    return f"{100 * probe.accuracy:.0f} ({100 * probe.low:.0f} to {100 * probe.high:.0f})"


def retrieval_table(pretrained: Mapping[str, Sequence[ProbeReport]]) -> Table | None:
    """R@k of encoders by name, over the runs of each, and of the untrained ones that they began with; None without."""
    some = {name: [one for one in reports if one.retrieval] for name, reports in pretrained.items()}
    ranks = sorted({one.k for reports in some.values() for report in reports for one in report.retrieval})
    rows = [row for name, reports in some.items() if reports for row in _retrieved(name, reports, ranks)]
    head = ("Pretraining", *(f"R@{k}, %" for k in ranks), "Runs")
    caption = "Test videos retrieve training videos by features that no label has trained."
    return Table(head, tuple(rows), "Retrieval", caption, remarks=(INTERVALS, POOLED)) if rows else None


def _retrieved(name: str, reports: Sequence[ProbeReport], ranks: Sequence[int]) -> Iterator[tuple[str, ...]]:
    for label, of_runs in (
        (name, [report.retrieval for report in reports]),
        (f"{name}, untrained", [report.control_retrieval for report in reports]),
    ):
        yield (label, *(_recall(of_runs, k) for k in ranks), str(len(of_runs)))


def _recall(of_runs: Sequence[Sequence[Retrieval]], k: int) -> str:
    some = [one for of_run in of_runs for one in of_run if one.k == k]
    ends = (some[0].low, some[0].high) if len(some) == 1 else None
    return numbers.accuracy(estimate([one.recall for one in some]), ends)
