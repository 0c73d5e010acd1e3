"""Table 1 of the paper: test accuracy by initialisation, with what seeds say about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fbm.report.caveats import caveats
from fbm.report.groups import Group, comparisons, groups, name, origins
from fbm.report.labels import share
from fbm.report.read.runs import CLIP, VIDEO, Run, RunSet
from fbm.report.stats import Estimate, estimate
from fbm.utils.errors import UserError

PUBLISHED = {"random": 0.522, "autoencoder": 0.568, "ours": 0.625}
PAPER = ("ucf24", 24)  # the data that these are of: its name and number of classes
VISIBLE = 0.0005  # the smallest difference of two shares that the tables show


@dataclass(frozen=True)
class Row:
    """One initialisation under one config. Accuracies are shares in 0..1, None where nothing was tested.

    Attributes:
        name: the initialisation, with what sets it apart from others of it.
        label: `name`, and the share of labels where the table has several.
        fraction: share of the labelled training groups in 0..1, None if no run says it.
        within: what the rows of its comparison have in common, such as `25 % of labels`; empty where the
            table is one comparison.
        published: the paper's accuracy on the same data; None on other data.
        missing_seeds: of the runs that its study declares; without a study, seeds that other rows have.
        clips: the clip accuracy of each tested run by its seed; `clip` is their mean.
    """

    init: str
    name: str
    label: str
    fraction: float | None
    within: str
    runs: tuple[Run, ...]
    missing_seeds: tuple[int, ...]
    clips: dict[int, float]
    clip: Estimate | None
    video: Estimate | None
    fitted_epochs: Estimate | None
    gain: Estimate | None
    published: float | None

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of the runs, in the order of the runs."""
        return tuple(run.summary.seed for run in self.runs)

    @property
    def config(self) -> str:
        """Fingerprint of everything but seed and machine."""
        return self.runs[0].summary.fingerprints.config

    @property
    def comparison(self) -> str:
        """Fingerprint of everything but seed, machine and initialisation, and how much was tested if not all."""
        return self.runs[0].comparison

    @property
    def partial(self) -> str:
        """`80 of 141 test clips (1 of 2 classes)` where the test left clips out, empty where it did not."""
        return self.runs[0].partial

    @property
    def origins(self) -> list[str]:
        """The distinct pretraining runs that its runs start from."""
        return origins(self.runs)

    @property
    def clip_ends(self) -> tuple[float, float] | None:
        """The interval of a single run's clip accuracy over test groups; None for several, or where it has none."""
        return self._ends(CLIP)

    @property
    def video_ends(self) -> tuple[float, float] | None:
        """The same of its video accuracy."""
        return self._ends(VIDEO)

    def _ends(self, metric: str) -> tuple[float, float] | None:
        return self.runs[0].summary.intervals.get(metric) if len(self.runs) == 1 else None

    @property
    def shares_pretraining(self) -> bool:
        """Whether all of several seeds start from one pretraining run, whose variation their interval leaves out."""
        return len(self.origins) == 1 < len(self.runs)

    def above(self, level: float) -> bool | None:
        """Whether the interval lies above a level; None for a single run above it, which has no interval."""
        assert self.clip
        if self.clip.half_width is None:
            return None if self.clip.mean > level else False
        return self.clip.mean - self.clip.half_width > level


@dataclass(frozen=True)
class Table1:
    """All rows, and what a reader must know beside them."""

    rows: tuple[Row, ...]
    data: str
    classes: int
    test_clips: tuple[int, ...]
    notes: tuple[str, ...]

    @property
    def comparisons(self) -> list[list[Row]]:
        """Rows that may be compared with each other, in the order of the table."""
        compared: dict[str, list[Row]] = {}
        for row in self.rows:
            compared.setdefault(row.comparison, []).append(row)
        return list(compared.values())

    @property
    def data_fingerprint(self) -> str:
        """Of the data that the rows are on; of several official splits, each, with a space between."""
        return " ".join(sorted({run.summary.fingerprints.data for row in self.rows for run in row.runs}))

    @property
    def fractions(self) -> tuple[float, ...]:
        """The shares of labels that the rows have, ascending."""
        return tuple(sorted({row.fraction for row in self.rows if row.fraction is not None}))


def table1(found: RunSet) -> Table1:
    """Rows by (init, config fingerprint). UserError without a finished classification run, or for doubles."""
    runs = found.of("classify")
    if not runs:
        raise UserError(
            "no finished classification run among the paths, and Table 1 needs one. Train with task=classify "
            f"({len(found.runs)} other finished and {len(found.missing)} unfinished runs found)."
        )
    grouped = groups(runs)
    names = [name(group, grouped) for group in grouped]
    within, note = comparisons(grouped)
    several = len({group[0].label_fraction for group in grouped}) > 1
    rows = []
    for called, group in zip(names, grouped, strict=True):
        first, fraction = group[0], group[0].label_fraction
        rivals = [one for one in grouped if one[0].comparison == first.comparison]
        base = next((one for one in rivals if one[0].init == "random" != first.init), None)
        # The paper's accuracies are with all labels.
        paper = (first.summary.data, len(first.summary.classes)) == PAPER and (fraction == 1 or not several)
        rows.append(
            Row(
                init=first.init,
                name=called,
                label=called if not several or fraction is None else f"{called}, {share(fraction)}",
                fraction=fraction,
                within=within[first.comparison],
                runs=tuple(group),
                missing_seeds=missing_seeds(group, found),
                clips=(clips := _tested(group, CLIP)),
                clip=estimate(list(clips.values())),
                video=estimate(list(_tested(group, VIDEO).values())),
                fitted_epochs=estimate([run.fitted_epoch for run in group if run.fitted_epoch is not None]),
                gain=estimate(list(paired(clips, _tested(base, CLIP)).values())) if base else None,
                published=PUBLISHED.get(first.init) if paper else None,
            )
        )
    summary = runs[0].summary
    sizes = sorted({run.summary.samples["test"] for run in runs if "test" in run.summary.samples})
    notes = filter(None, (note, *caveats(names, grouped, found)))
    return Table1(tuple(rows), summary.data, len(summary.classes), tuple(sizes), tuple(notes))


def missing_seeds(group: Group, found: RunSet) -> tuple[int, ...]:
    """Seeds that the row's study declares and that are not finished; without a study, seeds that other rows have."""

    def but_seed(values: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in values.items() if key != "seed"}

    declared = [but_seed(run.declared) for run in group if run.declared]
    if declared:
        jobs = [run.job for run in found.missing if run.job and run.job.stage == "classify"]
        seeds = [job.values.get("seed") for job in jobs if but_seed(job.values) in declared]
        return tuple(sorted({seed for seed in seeds if isinstance(seed, int)}))
    all_seeds = {run.summary.seed for run in found.of("classify")}
    return tuple(sorted(all_seeds - {run.summary.seed for run in group}))


def _tested(runs: Group, metric: str) -> dict[int, float]:
    """A test accuracy by seed, of the runs that have it. UserError for an impossible value."""
    values = ((run.summary.seed, run.accuracy(metric)) for run in runs)
    return {seed: value for seed, value in values if value is not None}


def paired(ours: Mapping[int, float], theirs: Mapping[int, float]) -> dict[int, float]:
    """How much higher our accuracies are than theirs, by seed, of the seeds that both have, ascending."""
    return {seed: ours[seed] - theirs[seed] for seed in sorted(ours.keys() & theirs.keys())}


def guessed(classes: int) -> float | None:
    """The share that is right by guessing, in 0..1; None where the classes are not known."""
    return 1 / classes if classes else None


def most_frequent(rows: Sequence[Row]) -> float | None:
    """The share of tested clips that are of the most frequent class, in 0..1: what always naming it gives.

    None where no confusion says it, or where it is not above guessing: the tests have as many clips of each class.
    """
    counts = [run.summary.confusion for row in rows for run in row.runs if run.summary.confusion]
    shares = [max(map(sum, one)) / clips for one in counts if (clips := sum(map(sum, one)))]
    level = guessed(len(rows[0].runs[0].summary.classes)) if rows else None
    return max(shares) if shares and max(shares) > (level or 0) + VISIBLE else None
