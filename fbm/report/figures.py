"""Figure 2 (reconstructions, copied), Figure 3 and the label-scarcity curve (drawn) as PNG files."""

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fbm.report.read.curves import curve
from fbm.report.read.places import shown
from fbm.report.read.runs import Run, RunSet
from fbm.report.scarcity import Curve
from fbm.report.styles import COLOURS, MARKERS, Style, line_styles
from fbm.report.table1 import Row, Table1

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

VAL = "val/clip_top1"


def figure2(found: RunSet) -> tuple[Path | None, str]:
    """The reconstructions of the disentangling run with the lowest seed, and one line: whose, or why none."""
    runs = sorted(found.of("disentangle"), key=lambda run: (run.summary.seed, run.path))
    if not runs:
        return None, "no finished disentangle run among the paths"
    picture = runs[0].path / "gallery" / "test.png"
    if not picture.is_file():
        return None, f"{shown(picture)} does not exist"
    return picture, f"From {runs[0].where}"


def figure3(table: Table1) -> bytes | None:
    """PNG of the validation curves, None if no run has any."""
    if not any(curve(run, VAL) for row in table.rows for run in row.runs):
        return None
    from matplotlib.ticker import MaxNLocator

    parts = compared(table)
    figure, panels = _empty(len(parts))
    for axes, (title, rows) in zip(panels, parts, strict=True):
        for row, style in zip(rows, line_styles([row.init for row in rows]), strict=True):
            _draw(axes, row, style)
        axes.set_title(title, fontsize=13)
        axes.set_xlabel("Epoch", fontsize=13)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in panels:  # once all is drawn, since they share their axes
        _dress(axes, "Validation clip accuracy, %", table.classes)
    return _png(figure)


def figure_scarcity(curves: Sequence[Curve], classes: int) -> bytes | None:
    """PNG of test clip accuracy against the share of labelled groups, with 95 % intervals; None without curves."""
    if not curves:
        return None
    from matplotlib.ticker import NullFormatter

    figure, (axes,) = _empty()
    for nth, (line, style) in enumerate(zip(curves, line_styles([line.init for line in curves]), strict=True)):
        _draw_scarcity(axes, line, style, shift=1.02 ** (nth - (len(curves) - 1) / 2))
    shares = sorted({point.fraction for line in curves for point in line.points})
    axes.set_xscale("log", base=2)
    axes.set_xticks(shares, [f"{100 * share:g}" for share in shares])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("Labelled training groups, %", fontsize=13)
    _dress(axes, "Test clip accuracy, %", classes)
    return _png(figure)


def compared(table: Table1) -> list[tuple[str, list[Row]]]:
    """Rows that may be compared with each other, and what they have in common; one group without a name if all may."""
    groups: dict[str, list[Row]] = {}
    for row in table.rows:
        groups.setdefault(row.comparison, []).append(row)
    return [(rows[0].within, rows) for rows in groups.values()]


def spread(runs: Iterable[Run], column: str = VAL, scale: float = 100) -> dict[int, list[float]]:
    """`scale` times a column of metrics.csv (in % by default) by epoch, over the runs that got so far."""
    found: dict[int, list[float]] = {}
    for run in runs:
        for epoch, value in curve(run, column).items():
            found.setdefault(epoch, []).append(scale * value)
    return dict(sorted(found.items()))


def _empty(panels: int = 1) -> tuple["Figure", list["Axes"]]:
    """A figure of so many panels, two a row, with the same axes."""
    # A Figure of its own draws on Agg and leaves pyplot's global state alone.
    from matplotlib.figure import Figure

    across, down = min(panels, 2), -(-panels // 2)
    figure = Figure(figsize=(8 * across, 4.8 * down), dpi=160 // across, layout="constrained")
    grid = list(figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).flat)
    for spare in grid[panels:]:
        spare.remove()
    return figure, grid[:panels]


def _png(figure: "Figure") -> bytes:
    png = io.BytesIO()
    figure.savefig(png, format="png", metadata={"Software": None})
    return png.getvalue()


def _dress(axes: "Axes", title: str, classes: int) -> None:
    """Chance, axes and legend, the same on every panel."""
    if classes:
        label = f"Chance, {100 / classes:.1f} %"
        axes.axhline(100 / classes, color="#555555", linewidth=1, linestyle="--", label=label)
    axes.set_ylabel(title, fontsize=13)
    axes.tick_params(labelsize=12, labelbottom=True, labelleft=True)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=11, frameon=True, framealpha=0.85, edgecolor="none", loc="best")


def _draw(axes: "Axes", row: Row, style: Style) -> None:
    points = spread(row.runs)
    if not points:
        return
    seeds = max(map(len, points.values()))
    means = {epoch: sum(values) / len(values) for epoch, values in points.items()}
    whole = [epoch for epoch in points if len(points[epoch]) == seeds]
    tail = [epoch for epoch in points if epoch >= whole[-1]]
    colour = COLOURS[style.colour]
    label = f"{row.name}, {seeds} seed{'s' if seeds > 1 else ''}"
    # A lone epoch draws no line, so it gets a point.
    marker = MARKERS[style.marker] if style.marker else "o" if len(points) == 1 else ""
    axes.plot(whole, [means[e] for e in whole], color=colour, linewidth=2, label=label, marker=marker, markersize=5)
    if len(tail) > 1:
        axes.plot(tail, [means[e] for e in tail], color=colour, linewidth=1.5, linestyle=":")
    low, high = [min(points[e]) for e in whole], [max(points[e]) for e in whole]
    axes.fill_between(whole, low, high, color=colour, alpha=0.15, linewidth=0)


def _draw_scarcity(axes: "Axes", line: Curve, style: Style, shift: float) -> None:
    """One line with error bars; `shift` moves it sideways, so that bars of different lines stand side by side."""
    shares = [point.fraction * shift for point in line.points]
    means = [100 * point.clip.mean for point in line.points]
    halves = [100 * (point.clip.half_width or 0) for point in line.points]
    # An interval may say more than an accuracy can be: the bar ends there.
    ends = [
        [min(half, mean) for mean, half in zip(means, halves, strict=True)],
        [min(half, 100 - mean) for mean, half in zip(means, halves, strict=True)],
    ]
    axes.errorbar(
        shares, means, ends, color=COLOURS[style.colour], marker=MARKERS[style.marker], markersize=6,
        linewidth=2, elinewidth=1.5, capsize=4, label=line.label,
    )  # fmt: skip
