"""Charts on the page: from data to positions in the units of the SVG's viewBox. The template writes the SVG."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from fbm.report.charts import Chart, Line, Mark

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 58, WIDTH - 14, 40, HEIGHT - 54  # the plotting area
# Two tick labels nearer than this would touch on a phone, where letters are larger within the drawing.
APART = 56
MOST_DOTS = 30
SHIFT = 7  # between the error bars of two lines at the same x
# In the order of png.MARKERS: disc, square, diamond, two triangles, plus, cross.
SHAPES = (
    "M-3.2 0a3.2 3.2 0 1 0 6.4 0a3.2 3.2 0 1 0-6.4 0z",
    "M-3.4-3.4h6.8v6.8h-6.8z",
    "M0-4.6 4.6 0 0 4.6-4.6 0z",
    "M0-4.6 4.4 3.4h-8.8z",
    "M0 4.6 4.4-3.4h-8.8z",
    "M-1.4-4.4h2.8v3h3v2.8h-3v3h-2.8v-3h-3v-2.8h3z",
    "M-4.2-2.6-2.6-4.2 0-1.6 2.6-4.2 4.2-2.6 1.6 0 4.2 2.6 2.6 4.2 0 1.6-2.6 4.2-4.2 2.6-1.6 0z",
)
SIZE = {"width": WIDTH, "height": HEIGHT, "left": LEFT, "right": RIGHT, "top": TOP, "bottom": BOTTOM}


class Tick(NamedTuple):
    """A place on an axis and its label, which is empty where it would touch its neighbour's."""

    at: float
    label: str


class Stroke(NamedTuple):
    """A line's label and style, path data (`tail` and `band` may be empty) and its marks; each `every`-th is seen."""

    label: str
    colour: int
    shape: str
    path: str
    tail: str
    band: str
    dots: list[Mark]
    every: int


class Drawing(NamedTuple):
    """A chart in places: ticks, the y of chance, strokes in order of the legend."""

    chart: Chart
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    chance: float | None
    strokes: list[Stroke]


class Scale(NamedTuple):
    """A straight map from data (their logarithm if `log`) to the drawing."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        value = math.log2(value) if self.log else value
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return round(self.start + share * (self.end - self.start), 1)


def draw_alike(charts: Sequence[Chart]) -> list[Drawing]:
    """Lay charts of one measure out with the same axes, so that the eye may compare them."""
    return [draw(chart, charts) for chart in charts]


def draw(chart: Chart, beside: Sequence[Chart] = ()) -> Drawing:
    """Lay a chart out, with axes that hold the charts `beside` it too."""
    marks = [mark for shown in beside or [chart] for line in shown.lines for mark in line.marks]
    x, x_ticks = _across(chart, marks)
    levels = [level for mark in marks for level in (mark.low, mark.high)]
    if chart.chance is not None:
        levels += [0, chart.chance]
    y_values = ticks(min(levels), max(levels), 6)
    y = Scale(min(y_values), max(y_values), BOTTOM, TOP)
    decimals = max(len(f"{value:g}".partition(".")[2]) for value in y_values)
    middle = (len(chart.lines) - 1) / 2
    shift = SHIFT if chart.kind == "shares" else 0
    return Drawing(
        chart,
        x_ticks,
        [Tick(y(value), f"{value:.{decimals}f}") for value in y_values],
        None if chart.chance is None else y(chart.chance),
        [_stroke(chart, line, x, y, shift * (nth - middle)) for nth, line in enumerate(chart.lines)],
    )


def ticks(low: float, high: float, most: int, whole: bool = False) -> list[float]:
    """Round numbers that enclose `low` and `high`, about `most` of them; whole numbers alone if `whole`."""
    from matplotlib.ticker import MaxNLocator

    if low == high:
        low, high = low - (abs(low) or 1) / 2, high + (abs(high) or 1) / 2
    found = MaxNLocator(nbins=most, steps=[1, 2, 2.5, 5, 10], integer=whole).tick_values(low, high)
    return [round(float(value), 10) for value in found]


def _across(chart: Chart, marks: Sequence[Mark]) -> tuple[Scale, list[Tick]]:
    values = sorted({mark.x for mark in marks})
    log = chart.kind == "shares"
    low, high = (math.log2(values[0]), math.log2(values[-1])) if log else (values[0], values[-1])
    scale = Scale(low, high, LEFT + 26, RIGHT - 26, log)
    if not log and low < high:
        values = [value for value in ticks(low, high, 8, whole=True) if low <= value <= high]
    # The last label stays, and every other that is far enough from the one to its right.
    kept: list[Tick] = []
    right = math.inf
    for value in reversed(values):
        at = scale(value)
        fits = right - at >= APART
        kept.append(Tick(at, f"{value:g}" if fits else ""))
        right = at if fits else right
    return scale, kept[::-1]


def _stroke(chart: Chart, line: Line, x: Scale, y: Scale, shift: float) -> Stroke:
    dots = [
        mark._replace(x=round(x(mark.x) + shift, 1), y=y(mark.y), low=y(mark.low), high=y(mark.high))
        for mark in line.marks
    ]
    whole, tail = dots[: line.whole], dots[max(line.whole - 1, 0) :]
    band = [(dot.x, dot.high) for dot in whole] + [(dot.x, dot.low) for dot in reversed(whole)]
    return Stroke(
        line.label,
        line.style.colour,
        SHAPES[line.style.marker],
        _path([(dot.x, dot.y) for dot in whole]),
        _path([(dot.x, dot.y) for dot in tail]) if len(tail) > 1 else "",
        _path(band) + "Z" if chart.kind == "epochs" and len(whole) > 1 else "",
        dots,
        every=math.ceil(len(dots) / MOST_DOTS) or 1,
    )


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in points)
