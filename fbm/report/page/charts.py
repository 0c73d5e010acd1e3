"""The data of the page's charts: validation accuracy, label scarcity, pretraining."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from fbm.report import numbers
from fbm.report.figures import VAL, compared, spread
from fbm.report.page.pretraining import Pretraining
from fbm.report.read.runs import Run
from fbm.report.scarcity import Curve, Point
from fbm.report.stats import INTERVAL
from fbm.report.styles import Style, line_styles
from fbm.report.table1 import Table1

ONLINE = {
    "val/knn_top1": "Nearest neighbours on the frozen features",
    "val/linear_top1": "Linear probe on the frozen features",
}


class Mark(NamedTuple):
    """One point: where it is, its range (equal to `y` where there is none) and its tooltip."""

    x: float
    y: float
    low: float
    high: float
    tooltip: str


class Line(NamedTuple):
    """Marks from left to right; from the `whole`-th on not every seed is in, and the line is dotted."""

    label: str
    style: Style
    marks: tuple[Mark, ...]
    whole: int


class Chart(NamedTuple):
    """One chart. `at` names an x: `Epoch {}`; `chance` is a level in the units of y, None for none."""

    name: str
    title: str
    x_title: str
    y_title: str
    at: str
    lines: tuple[Line, ...]
    chance: float | None
    foot: str
    kind: Literal["epochs", "shares"] = "epochs"


def validation(table: Table1) -> list[Chart]:
    """Figure 3: validation clip accuracy against epoch, a chart for each comparison and in it a line for each row."""
    foot = "Line: mean over seeds. Band: lowest to highest seed. Dotted: not every seed ran this long."
    charts = []
    for nth, (title, rows) in enumerate(compared(table), 1):
        styles = line_styles([row.init for row in rows])
        lines = [_epochs(row.name, style, row.runs, VAL) for row, style in zip(rows, styles, strict=True)]
        y_title, chance = "Validation clip accuracy, %", _chance(table.classes)
        charts.append(_chart(f"validation-{nth}", title, y_title, lines, chance, foot))
    return [chart for chart in charts if chart]


def scarcity(curves: Sequence[Curve], classes: int) -> list[Chart]:
    """Test clip accuracy against the share of labelled training groups; no chart without curves."""
    styles = line_styles([curve.init for curve in curves])
    lines = []
    for curve, style in zip(curves, styles, strict=True):
        marks = tuple(_share(point) for point in curve.points)
        lines.append(Line(curve.label, style, marks, len(marks)))
    foot = f"Point: mean over seeds. Bar: {INTERVAL} of that mean; a single run has none."
    chart = _chart("scarcity", "", "Test clip accuracy, %", lines, _chance(classes), foot)
    if chart is None:
        return []
    return [chart._replace(kind="shares", x_title="Labelled training groups, %", at="{} % of groups labelled")]


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
        charts.append(_chart(name, title, metric, lines, None, foot))
    for column, title in ONLINE.items():
        lines = [_epochs(group.label, style, group.runs, column) for group, style in pairs]
        name = column.removeprefix("val/")
        charts.append(_chart(name, title, "Validation accuracy, %", lines, _chance(classes), foot))
    return [chart for chart in charts if chart]


def _chart(name: str, title: str, y: str, lines: Sequence[Line], chance: float | None, foot: str) -> Chart | None:
    drawn = tuple(line for line in lines if line.marks)
    return Chart(name, title, "Epoch", y, "Epoch {}", drawn, chance, foot) if drawn else None


def _chance(classes: int) -> float | None:
    return 100 / classes if classes else None


def _epochs(label: str, style: Style, runs: Sequence[Run], column: str, scale: float = 100) -> Line:
    points = spread(runs, column, scale)
    seeds = max(map(len, points.values()), default=0)
    whole = max((nth for nth, values in enumerate(points.values(), 1) if len(values) == seeds), default=0)
    marks = tuple(_seeds(epoch, values, " %" if scale == 100 else "") for epoch, values in points.items())
    return Line(label, style, marks, whole)


def _seeds(epoch: int, values: Sequence[float], unit: str) -> Mark:
    mean, low, high = sum(values) / len(values), min(values), max(values)
    text = numbers.plain(mean) + unit
    several = f"{numbers.plain(low)} to {numbers.plain(high)}, {len(values)} seeds"
    return Mark(epoch, mean, low, high, f"{text} ({several if len(values) > 1 else '1 seed'})")


def _share(point: Point) -> Mark:
    mean, half = 100 * point.clip.mean, 100 * (point.clip.half_width or 0)
    runs = len(point.clip.values)
    text = f"{numbers.accuracy(point.clip)} % ({runs} run{'s' if runs != 1 else ''})"
    # An interval may reach beyond what an accuracy can be: the bar ends at 0 or 100.
    return Mark(100 * point.fraction, mean, max(mean - half, 0), min(mean + half, 100), text)
