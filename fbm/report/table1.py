"""Table 1 of the paper: test accuracy by initialisation, with what seeds say about it."""

from collections.abc import Sequence
from dataclasses import dataclass

from fbm.errors import UserError
from fbm.report.curves import first_epoch_reaching
from fbm.report.labels import KNOWN, differing_keys, order, variant
from fbm.report.runs import Found, Run
from fbm.report.stats import Estimate, estimate

CLIP = "test/clip_top1"
VIDEO = "test/video_top1"
FITTED = 0.90
PUBLISHED = {"random": 0.522, "autoencoder": 0.568, "ours": 0.625}


@dataclass(frozen=True)
class Row:
    """One initialisation under one config. Accuracies are shares in 0..1, None where nothing was tested."""

    init: str
    label: str
    runs: tuple[Run, ...]
    missing_seeds: tuple[int, ...]
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
        """Fingerprint of everything but seed, machine and initialisation."""
        return self.runs[0].summary.fingerprints.comparison


@dataclass(frozen=True)
class Table1:
    """All rows, and what a reader must know beside them."""

    rows: tuple[Row, ...]
    data: str
    classes: int
    test_clips: tuple[int, ...]
    notes: tuple[str, ...]


def table1(found: Found) -> Table1:
    """Rows by (init, config fingerprint). UserError without a finished classification run, or for doubles."""
    runs = found.of("classify")
    if not runs:
        raise UserError(
            "no finished classification run among the paths, and Table 1 needs one. Train with task=classify "
            f"({len(found.runs)} other finished and {len(found.unfinished)} unfinished runs found)."
        )
    groups = _groups(runs)
    labels = _labels(groups)
    seeds = {run.summary.seed for run in runs}
    rows = [_row(label, group, seeds, groups) for label, group in zip(labels, groups, strict=True)]
    first = runs[0].summary
    clips = sorted({run.summary.samples["test"] for run in runs if "test" in run.summary.samples})
    return Table1(tuple(rows), first.data, len(first.classes), tuple(clips), tuple(_notes(groups)))


def _init(run: Run) -> str:
    return run.summary.init or "unnamed"


def _groups(runs: Sequence[Run]) -> list[list[Run]]:
    grouped: dict[tuple[str, str], dict[int, Run]] = {}
    for run in runs:
        group = grouped.setdefault((_init(run), run.summary.fingerprints.config), {})
        double = group.setdefault(run.summary.seed, run)
        if double is not run:
            raise UserError(
                f"{double.where} and {run.where} are the same run twice (init {_init(run)}, seed "
                f"{run.summary.seed}, same config): remove one of them or name the runs to report."
            )
    keys = sorted(grouped, key=lambda key: (*order(key[0]), key[1]))
    return [[grouped[key][seed] for seed in sorted(grouped[key])] for key in keys]


def _labels(groups: Sequence[Sequence[Run]]) -> list[str]:
    labels = []
    for group in groups:
        init = _init(group[0])
        label = KNOWN.get(init, init)
        rivals = [rival for rival in groups if _init(rival[0]) == init]
        if len(rivals) > 1:
            keys = differing_keys([[run.config() for run in rival] for rival in rivals])
            label += f" ({variant(group[0].config(), keys, group[0].summary.fingerprints.config)})"
        labels.append(label)
    return labels


def _row(label: str, runs: Sequence[Run], seeds: set[int], groups: Sequence[Sequence[Run]]) -> Row:
    init = _init(runs[0])
    fitted = [first_epoch_reaching(run, "train/top1", FITTED) for run in runs]
    return Row(
        init=init,
        label=label,
        runs=tuple(runs),
        missing_seeds=tuple(sorted(seeds - {run.summary.seed for run in runs})),
        clip=estimate(list(_tested(runs, CLIP).values())),
        video=estimate(list(_tested(runs, VIDEO).values())),
        fitted_epochs=estimate([epoch for epoch in fitted if epoch is not None]),
        gain=_gain(runs, groups),
        published=PUBLISHED.get(init),
    )


def _tested(runs: Sequence[Run], metric: str) -> dict[int, float]:
    values = ((run.summary.seed, run.accuracy(metric)) for run in runs)
    return {seed: value for seed, value in values if value is not None}


def _gain(runs: Sequence[Run], groups: Sequence[Sequence[Run]]) -> Estimate | None:
    """Paired by seed with the random row that differs in the initialisation alone; None if there is none."""
    mine = runs[0].summary.fingerprints.comparison
    for base in groups:
        if _init(base[0]) == "random" != _init(runs[0]) and base[0].summary.fingerprints.comparison == mine:
            ours, theirs = _tested(runs, CLIP), _tested(base, CLIP)
            return estimate([ours[seed] - theirs[seed] for seed in ours if seed in theirs])
    return None


def _notes(groups: Sequence[Sequence[Run]]) -> list[str]:
    notes = []
    by_comparison: dict[str, list[Run]] = {}
    for group in groups:
        by_comparison.setdefault(group[0].summary.fingerprints.comparison, []).extend(group)
    if len(by_comparison) > 1:
        keys = differing_keys([[run.config() for run in runs] for runs in by_comparison.values()])
        keys = [key for key in keys if key.split(".")[0] != "init"]
        notes.append(
            "Not one fair comparison: rows differ in more than the initialization "
            f"({', '.join(keys) or 'see their config.yaml'})."
        )
    untested = [run.summary.run for group in groups for run in group if run.accuracy(CLIP) is None]
    if untested:
        notes.append(f"Finished but not tested, so not in the test accuracies: {', '.join(untested)}.")
    return notes
