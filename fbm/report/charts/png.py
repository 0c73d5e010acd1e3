"""Charts as PNG files, drawn by matplotlib."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fbm.report.charts import Chart, Mark

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# The palette of Okabe and Ito, for any colour vision. The web page has its own shades of it, light and dark.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS = "osD^vPX"
MOST_INSIDE = 4  # lines of a legend that find room among the curves; a longer one is below them
LINE = 0.25  # inches


def draw(charts: Sequence[Chart]) -> bytes | None:
    """Charts of one measure as the panels of a PNG, two a row, with the same axes; None without charts."""
    if not charts:
        return None
    # A Figure of its own draws on Agg and leaves pyplot's global state alone.
    from matplotlib.figure import Figure

    across, down = min(len(charts), 2), -(-len(charts) // 2)
    entries = max(len(chart.lines) + (chart.chance is not None) for chart in charts)
    below = entries > MOST_INSIDE
    height = 4.8 + LINE * entries * below
    figure = Figure(figsize=(8 * across, height * down), dpi=160 // across, layout="constrained")
    panels = list(figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).flat)
    for spare in panels[len(charts) :]:
        spare.remove()
    pairs = list(zip(panels, charts, strict=False))
    for axes, chart in pairs:
        (_epochs if chart.kind == "epochs" else _shares)(axes, chart)
    for axes, chart in pairs:  # once all is drawn, since they share their axes
        if chart.chance is not None:
            label = f"Chance, {chart.chance:.1f} %"
            axes.axhline(chart.chance, color="#555555", linewidth=1, linestyle="--", label=label)
        axes.set_title(chart.title, fontsize=13)
        axes.set_xlabel(chart.x_title, fontsize=13)
        axes.set_ylabel(chart.y_title, fontsize=13)
        axes.tick_params(labelsize=12, labelbottom=True, labelleft=True)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        place = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.15)} if below else {"loc": "best"}
        axes.legend(fontsize=11, frameon=True, framealpha=0.85, edgecolor="none", **place)
    png = io.BytesIO()
    figure.savefig(png, format="png", metadata={"Software": None})
    return png.getvalue()


def _epochs(axes: "Axes", chart: Chart) -> None:
    """Lines with bands. A lone epoch draws no line, so it gets a point."""
    from matplotlib.ticker import MaxNLocator

    for line in chart.lines:
        whole, tail, colour = line.marks[: line.whole], line.marks[line.whole - 1 :], COLOURS[line.style.colour]
        marker = MARKERS[line.style.marker] if line.style.marker else "o" if len(line.marks) == 1 else ""
        label = f"{line.label}, {line.seeds} seed{'s' if line.seeds > 1 else ''}"
        axes.plot(*_xy(whole), color=colour, linewidth=2, label=label, marker=marker, markersize=5)
        if len(tail) > 1:
            axes.plot(*_xy(tail), color=colour, linewidth=1.5, linestyle=":")
        low, high = [mark.low for mark in whole], [mark.high for mark in whole]
        axes.fill_between(_xy(whole)[0], low, high, color=colour, alpha=0.15, linewidth=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _shares(axes: "Axes", chart: Chart) -> None:
    """Lines with error bars, moved sideways a little, so that bars of different lines stand side by side."""
    from matplotlib.ticker import NullFormatter

    for nth, line in enumerate(chart.lines):
        shift = 1.02 ** (nth - (len(chart.lines) - 1) / 2)
        xs, ys = _xy([mark._replace(x=mark.x * shift) for mark in line.marks])
        ends = [[mark.y - mark.low for mark in line.marks], [mark.high - mark.y for mark in line.marks]]
        axes.errorbar(
            xs, ys, ends, color=COLOURS[line.style.colour], marker=MARKERS[line.style.marker], markersize=6,
            linewidth=2, elinewidth=1.5, capsize=4, label=line.label,
        )  # fmt: skip
    shares = sorted({mark.x for line in chart.lines for mark in line.marks})
    axes.set_xscale("log", base=2)
    axes.set_xticks(shares, [f"{share:g}" for share in shares])
    axes.xaxis.set_minor_formatter(NullFormatter())


def _xy(marks: Sequence[Mark]) -> tuple[list[float], list[float]]:
    return [mark.x for mark in marks], [mark.y for mark in marks]
