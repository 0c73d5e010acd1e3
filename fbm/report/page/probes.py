"""The probes of pretraining runs (`probes.json`) as one table of parts and factors."""

from collections.abc import Sequence
from typing import NamedTuple

from fbm.report import numbers
from fbm.report.pretraining import Pretraining
from fbm.report.read.runs import Run
from fbm.runs.probes import OWN_FACTOR, Probe, ProbeReport

PARTS = (*OWN_FACTOR, "all")
UNTRAINED = "all, untrained"
FACTORS = (*OWN_FACTOR.values(), "class")


class Cell(NamedTuple):
    """One probe in per cent. `diagonal`: the part is meant to hold the factor; `above`: it is above chance."""

    accuracy: str
    interval: str
    tooltip: str
    diagonal: bool
    above: bool


class Line(NamedTuple):
    """One part's cells in the order of the table's factors, None where it was not probed, and its effective rank."""

    part: str
    cells: list[Cell | None]
    rank: str


class Block(NamedTuple):
    """The probes of one run, and what else its file holds."""

    run: str
    about: str
    lines: list[Line]


class ProbeTable(NamedTuple):
    """All probed runs: (factor, chance in per cent) for each column, blocks, and how the intervals were made."""

    columns: list[tuple[str, str]]
    blocks: list[Block]
    intervals: list[str]


def probe_table(groups: Sequence[Pretraining]) -> ProbeTable | None:
    """The table of all pretraining runs that were probed, seed by seed; None if there are none.

    Raises:
        UserError: a file is damaged.
    """
    found = [(run, run.probes) for group in groups for run in group.runs if run.probes and run.probes.probes]
    if not found:
        return None
    chances: dict[str, set[str]] = {}
    for probe in (probe for _, probes in found for probe in probes.probes):
        chances.setdefault(probe.factor, set()).add(numbers.percent(probe.chance))
    factors = [factor for factor in FACTORS if factor in chances]
    columns = [(factor, " or ".join(sorted(chances[factor]))) for factor in factors]
    blocks = [_block(run, probes, factors) for run, probes in found]
    return ProbeTable(columns, blocks, sorted({probes.interval for _, probes in found}))


def _block(run: Run, found: ProbeReport, factors: Sequence[str]) -> Block:
    about = []
    if score := found.diagonality:  # of an earlier fbm; now in the table of scores
        about.append(f"diagonality {score.value:.2f} ({score.low:.2f} to {score.high:.2f})")
    if found.data != run.summary.fingerprints.data:
        about.append(f"probed on other data than the run's (fingerprint {found.data})")
    parts = [(part, [p for p in found.probes if p.part == part], found.effective_rank.get(part)) for part in PARTS]
    parts.append((UNTRAINED, found.control, found.control_effective_rank))
    lines = []
    for part, probes, rank in parts:
        by_factor = {probe.factor: _cell(probe) for probe in probes}
        lines.append(Line(part, [by_factor.get(factor) for factor in factors], numbers.decimal(rank)))
    return Block(run.summary.run, "; ".join(about), [line for line in lines if any(line.cells)])


def _cell(probe: Probe) -> Cell:
    return Cell(
        numbers.percent(probe.accuracy),
        numbers.between(probe.low, probe.high),
        f"{probe.factor} from {probe.part}: {numbers.percent(probe.accuracy)} %; chance "
        f"{numbers.percent(probe.chance)} %, {probe.classes} classes; {numbers.count(probe.train_clips)} training and "
        f"{numbers.count(probe.test_clips)} test clips",
        OWN_FACTOR.get(probe.part) == probe.factor,
        probe.low > probe.chance,
    )
