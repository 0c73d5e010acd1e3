"""Charts as data: validation accuracy, label scarcity, pretraining. `png` draws them for papers, `svg` for the page."""

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from fbm.report import numbers
from fbm.report.pretraining import Pretraining
from fbm.report.read.runs import VAL, Run
from fbm.report.scarcity import Curve
from fbm.report.stats import INTERVAL
from fbm.report.table1 import Table1

ONLINE = {
    "val/knn_top1": "Nearest neighbours on the frozen features",
    "val/linear_top1": "Linear probe on the frozen features",
}
COLOURS, MARKERS = 7, 7  # of either renderer's palette
# The paper's three always have these colours; other initialisations take turns at the rest.
FIXED = {"random": 0, "autoencoder": 1, "ours": 2}


class Style(NamedTuple):
    """Indices of colour and marker; marker 0 is a plain dot."""

    colour: int
    marker: int


class Mark(NamedTuple):
    """One point: where it is, its range (equal to `y` where there is none), its `x` in words and its tooltip."""

    x: float
    y: float
    low: float
    high: float
    head: str
    tooltip: str


class Line(NamedTuple):
    """Marks from left to right; from the `whole`-th on not all `seeds` are in, and the line is dotted."""

    label: str
    style: Style
    marks: tuple[Mark, ...]
    whole: int
    seeds: int = 0


class Chart(NamedTuple):
    """One chart; `chance` is a level in the units of y, None for none."""

    name: str
    title: str
    x_title: str
    y_title: str
    lines: tuple[Line, ...]
    chance: float | None
    foot: str
    kind: Literal["epochs", "shares"] = "epochs"


def validation(table: Table1) -> list[Chart]:
    """Figure 3: validation clip accuracy against epoch, a chart for each comparison and in it a line for each row."""
    foot = "Line: mean over seeds. Band: lowest to highest seed. Dotted: not every seed ran this long."
    charts = []
    for nth, rows in enumerate(table.comparisons, 1):
        styles = line_styles([row.init for row in rows])
        lines = [_epochs(row.name, style, row.runs, VAL) for row, style in zip(rows, styles, strict=True)]
        y_title = "Validation clip accuracy, %"
        charts.append(_chart(f"validation-{nth}", rows[0].within, y_title, lines, table.classes, foot))
    return [chart for chart in charts if chart.lines]


def scarcity(curves: Sequence[Curve], classes: int) -> list[Chart]:
    """Test clip accuracy against the share of labelled training groups; no chart without curves."""
    lines = []
    for curve, style in zip(curves, line_styles([curve.init for curve in curves]), strict=True):
        marks = []
        for share, row in curve.rows.items():
            assert row.clip
            mean, half, runs = 100 * row.clip.mean, 100 * (row.clip.half_width or 0), len(row.clip.values)
            # An interval may reach beyond what an accuracy can be: the bar ends at 0 or 100.
            low, high = max(mean - half, 0), min(mean + half, 100)
            tooltip = f"{numbers.accuracy(row.clip)} % ({runs} run{'s' if runs != 1 else ''})"
            marks.append(Mark(100 * share, mean, low, high, f"{100 * share:g} % of groups labelled", tooltip))
        lines.append(Line(curve.label, style, tuple(marks), len(marks)))
    foot = f"Point: mean over seeds. Bar: {INTERVAL} of that mean; a single run has none."
    chart = _chart("scarcity", "", "Test clip accuracy, %", lines, classes, foot)
    return [chart._replace(kind="shares", x_title="Labelled training groups, %")] if curves else []


def pretraining(groups: Sequence[Pretraining], classes: int) -> list[Chart]:
    """The monitored metric, a chart for each task since tasks share no unit, and the online probes."""
    styles = line_styles([group.init for group in groups])
    pairs = list(zip(groups, styles, strict=True))
    foot = "Line: mean over seeds. Band: lowest to highest seed."
    charts = []
    for task, metric in dict.fromkeys((group.task, group.monitor) for group in groups):
        alike = [(group, style) for group, style in pairs if (group.task, group.monitor) == (task, metric)]
        lines = [_epochs(group.label, style, group.runs, metric, 1) for group, style in alike]
        name, title = f"{metric.replace('/', '-')}-{task}", f"{task}: {metric}, which chooses the checkpoint"
        charts.append(_chart(name, title, metric, lines, 0, foot))
    for column, title in ONLINE.items():
        lines = [_epochs(group.label, style, group.runs, column) for group, style in pairs]
        charts.append(_chart(column.removeprefix("val/"), title, "Validation accuracy, %", lines, classes, foot))
    return [chart for chart in charts if chart.lines]


def line_styles(inits: Sequence[str]) -> list[Style]:
    """A style for each line, given its initialisation: lines of one initialisation differ in the marker."""
    others = [init for init in dict.fromkeys(inits) if init not in FIXED]
    free = COLOURS - len(FIXED)
    colours = FIXED | {init: len(FIXED) + nth % free for nth, init in enumerate(others)}
    return [Style(colours[init], inits[:at].count(init) % MARKERS) for at, init in enumerate(inits)]


def spread(runs: Iterable[Run], column: str, scale: float = 100) -> dict[int, list[float]]:
    """`scale` times a column of metrics.csv (in % by default) by epoch, over the runs that got so far."""
    found: dict[int, list[float]] = {}
    for run in runs:
        for epoch, value in run.curve(column).items():
            found.setdefault(epoch, []).append(scale * value)
    return dict(sorted(found.items()))


def _chart(name: str, title: str, y_title: str, lines: Sequence[Line], classes: int, foot: str) -> Chart:
    """Against epochs, of the lines that have marks; `classes` of which y is the accuracy, 0 where it is none."""
    chance = 100 / classes if classes else None
    return Chart(name, title, "Epoch", y_title, tuple(line for line in lines if line.marks), chance, foot)


def _epochs(label: str, style: Style, runs: Sequence[Run], column: str, scale: float = 100) -> Line:
    points = spread(runs, column, scale)
    seeds = max(map(len, points.values()), default=0)
    whole = max((nth for nth, values in enumerate(points.values(), 1) if len(values) == seeds), default=0)
    marks = []
    for epoch, values in points.items():
        mean, low, high = sum(values) / len(values), min(values), max(values)
        unit = " %" if scale == 100 else ""
        several = f"{numbers.plain(low)} to {numbers.plain(high)}, {len(values)} seeds" if len(values) > 1 else "1 seed"
        tooltip = f"{numbers.plain(mean)}{unit} ({several})"
        marks.append(Mark(epoch, mean, low, high, f"Epoch {epoch}", tooltip))
    return Line(label, style, tuple(marks), whole, seeds)
