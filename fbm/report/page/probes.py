"""What the parts of the feature hold: `probes.json` of pretraining runs, as one table of parts and factors."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from fbm.report import numbers
from fbm.report.page.pretraining import Pretraining
from fbm.report.read.runs import Run
from fbm.report.read.validated import validated

FILE = "probes.json"
PARTS = ("motion", "foreground", "background", "all")
UNTRAINED = "all, untrained"
FACTORS = ("motion", "object", "scene", "class")
# What each part is meant to hold.
DIAGONAL = {("motion", "motion"), ("foreground", "object"), ("background", "scene")}

Part = Literal["all", "motion", "foreground", "background"]
Factor = Literal["motion", "object", "scene", "class"]
Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True)
class Probe:
    """How well a linear probe on one part tells one factor on test clips, with its interval; shares in 0..1."""

    part: Part
    factor: Factor
    accuracy: Share
    low: Share
    high: Share
    chance: Share
    classes: int
    train_clips: int
    test_clips: int


@dataclass(frozen=True)
class Interval:
    """A number and its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Probes:
    """A run's `probes.json`; `control` is the untrained encoder that the run began with."""

    run: str
    task: str
    data: str
    split: str
    interval: str
    probes: list[Probe]
    diagonality: Interval | None = None
    effective_rank: dict[str, float | None] = field(default_factory=dict)
    control: list[Probe] = field(default_factory=list)
    control_effective_rank: float | None = None


class Cell(NamedTuple):
    """One probe in per cent as a reader sees it; `diagonal`: it is meant to hold this; `above`: it is above chance."""

    accuracy: str
    interval: str
    says: str
    diagonal: bool
    above: bool


class Line(NamedTuple):
    """One part's cells in the order of the table's factors, None where it was not probed, and its effective rank."""

    part: str
    cells: list[Cell | None]
    rank: str


class Block(NamedTuple):
    """The probes of one run, and what else its file says."""

    run: str
    about: str
    lines: list[Line]


class Probed(NamedTuple):
    """All probed runs: (factor, chance in per cent) for each column, blocks, and how the intervals were made."""

    columns: list[tuple[str, str]]
    blocks: list[Block]
    intervals: list[str]


def read(run: Run) -> Probes | None:
    """The run's probes, None if there are none. UserError if the file is damaged."""
    file = run.path / FILE
    if not file.exists():
        return None
    return validated(file, Probes, "Delete the file and probe the run again.")


def probed(groups: Sequence[Pretraining]) -> Probed | None:
    """The table of all pretraining runs that were probed, seed by seed; None if there are none."""
    pairs = [(run, read(run)) for group in groups for run in group.runs]
    found = [(run, probes) for run, probes in pairs if probes and probes.probes]
    if not found:
        return None
    every = [probe for _, probes in found for probe in probes.probes]
    factors = [factor for factor in FACTORS if any(probe.factor == factor for probe in every)]
    columns = [(factor, _chance(probe for probe in every if probe.factor == factor)) for factor in factors]
    blocks = [_block(run, probes, factors) for run, probes in found]
    return Probed(columns, blocks, sorted({probes.interval for _, probes in found}))


def _chance(probes: Iterable[Probe]) -> str:
    return " or ".join(sorted({numbers.percent(probe.chance) for probe in probes}))


def _block(run: Run, found: Probes, factors: Sequence[str]) -> Block:
    lines = [
        _line(part, [probe for probe in found.probes if probe.part == part], found.effective_rank.get(part), factors)
        for part in PARTS
    ]
    lines.append(_line(UNTRAINED, found.control, found.control_effective_rank, factors))
    return Block(run.summary.run, _about(run, found), [line for line in lines if any(line.cells)])


def _line(part: str, probes: Sequence[Probe], rank: float | None, factors: Sequence[str]) -> Line:
    by_factor: dict[str, Cell] = {probe.factor: _cell(probe) for probe in probes}
    return Line(part, [by_factor.get(factor) for factor in factors], numbers.decimal(rank))


def _about(run: Run, found: Probes) -> str:
    said = []
    if found.diagonality:
        score = found.diagonality
        said.append(f"diagonality {score.value:.2f} ({score.low:.2f} to {score.high:.2f})")
    if found.data != run.summary.fingerprints.data:
        said.append(f"probed on other data than the run's (fingerprint {found.data})")
    return "; ".join(said)


def _cell(probe: Probe) -> Cell:
    return Cell(
        numbers.percent(probe.accuracy),
        numbers.between(probe.low, probe.high),
        f"{probe.factor} from {probe.part}: {numbers.percent(probe.accuracy)} %; chance "
        f"{numbers.percent(probe.chance)} %, {probe.classes} classes; {numbers.count(probe.train_clips)} training and "
        f"{numbers.count(probe.test_clips)} test clips",
        (probe.part, probe.factor) in DIAGONAL,
        probe.low > probe.chance,
    )
