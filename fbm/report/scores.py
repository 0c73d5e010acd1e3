"""The disentanglement scores of pretraining runs (`probes.json`) as one table, for files, page and terminal."""

from collections.abc import Mapping, Sequence

from fbm.report.numbers import DASH
from fbm.report.stats import INTERVAL, estimate
from fbm.report.table import Table
from fbm.runs.probes import Interval, Score, ScoreKind

HEAD = ("Score", "Trained", "Untrained encoder", "Channels permuted", "Chance", "Range")
TITLE = "Disentanglement scores"
HOW = (
    "Read all scores together: modularity and D are near 1 also where every part holds the same single factor, or "
    "hardly anything. The parts are disentangled where informativeness, both gaps and diagonality are above those of "
    "permuted channels and of the untrained encoder, and leakage is below."
)
REMARKS = (
    "In brackets: 95 % percentile bootstrap over test groups. Channels permuted: dealt to the parts at random, mean "
    "over three deals. Chance: of an accuracy.",
    "Informativeness: accuracy above chance of probes of the whole feature. D: whether a part holds one factor; "
    "completeness: whether one part holds a factor; gaps: best part minus second best, of information (MIG) and of "
    "accuracy above chance (SAP); diagonality: own factor minus other factors; leakage: wrong parts over right parts.",
    "Judge: accuracy of classifiers trained on real training clips, on frames decoded with one part of another clip "
    "(swapped), bounded by reconstructions (not swapped) and real clips. A motion is judged by two frames, the first "
    "and the last foreground, an object by the last foreground, a scene by the whole first frame.",
    "CKA: similarity of two parts. Dynamic share: information shared with clips of the same motion in other colours, "
    "relative to that and to the information shared with clips of the same frames in another order; to compare parts.",
)
LABELS: dict[ScoreKind, str] = {
    "table": "{}",
    "swaps": "judge: {}",
    "similarity": "CKA: {}",
    "dynamics": "dynamic share: {}",
}
SEEDS = (
    f"± is the {INTERVAL} over seeds (Student t); in brackets the mean of the encoders before training. A run in which "
    "a score is not defined (leakage where nothing is held) does not count."
)
RANGES = {"diagonality": "-1 to 1", "leakage": "0 or more"}


def scores_table(runs: Sequence[tuple[str, Sequence[Score]]]) -> Table | None:
    """The scores of named runs, below each other; None if no run has any."""
    scored = [(name, scores) for name, scores in runs if scores]
    if not scored:
        return None
    rows = []
    for name, scores in scored:
        rows += [(name, *[""] * (len(HEAD) - 1)), *map(_row, scores)]
    return Table(HEAD, tuple(rows), TITLE, HOW, remarks=REMARKS)


def over_seeds(pretrained: Mapping[str, Sequence[Sequence[Score]]]) -> Table | None:
    """The scores of pretrainings by name, means over the runs of each; None where none has more than one."""
    scored = {name: [scores for scores in runs if scores] for name, runs in pretrained.items()}
    scored = {name: runs for name, runs in scored.items() if runs}
    if max(map(len, scored.values()), default=0) < 2:
        return None
    kinds = dict.fromkeys((score.kind, score.name) for runs in scored.values() for scores in runs for score in scores)
    rows = [
        (LABELS[kind].format(name), *(_over(runs, kind, name) for runs in scored.values()), RANGES.get(name, "0 to 1"))
        for kind, name in kinds
    ]
    head = ("Score", *(f"{name}, {len(runs)} run{'s' * (len(runs) > 1)}" for name, runs in scored.items()), "Range")
    return Table(head, tuple(rows), f"{TITLE} over seeds", HOW, remarks=(SEEDS, *REMARKS[1:]))


def _over(runs: Sequence[Sequence[Score]], kind: ScoreKind, name: str) -> str:
    """`0.20 ± 0.05 (0.01)`: trained, and the mean of the untrained encoders."""
    some = [score for scores in runs for score in scores if (score.kind, score.name) == (kind, name)]
    trained = estimate([score.value.value for score in some if score.value])
    untrained = estimate([score.untrained.value for score in some if score.untrained])
    if trained is None:
        return DASH
    spread = DASH if trained.half_width is None else _decimal(trained.half_width)
    return f"{_decimal(trained.mean)} ± {spread}" + (f" ({_decimal(untrained.mean)})" if untrained else "")


def _row(score: Score) -> tuple[str, ...]:
    return (
        LABELS[score.kind].format(score.name),
        _interval(score.value),
        _interval(score.untrained),
        _decimal(score.permuted),
        _decimal(score.chance),
        RANGES.get(score.name, "0 to 1"),
    )


def _interval(found: Interval | None) -> str:
    return f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})" if found else DASH


def _decimal(value: float | None) -> str:
    return DASH if value is None else f"{value:.2f}"
