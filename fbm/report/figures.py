"""Figure 2 (reconstructions, copied) and Figure 3 (validation accuracy against epoch, drawn)."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

from fbm.report.curves import curve
from fbm.report.runs import Found, Run, shown
from fbm.report.table1 import Row, Table1

if TYPE_CHECKING:
    from matplotlib.axes import Axes

VAL = "val/clip_top1"
BAND = "Line: mean over seeds; band: lowest to highest seed; dotted: not every seed ran this long"
# Okabe and Ito's palette: told apart with any colour vision. The paper's three are fixed, others take turns.
FIXED = {"random": "#0072B2", "autoencoder": "#D55E00", "ours": "#009E73"}
OTHERS = ("#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS = "osD^vPX"


def figure2(found: Found) -> tuple[Path | None, str]:
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
    # A Figure of its own draws on Agg and leaves pyplot's global state alone.
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(8, 4.8), dpi=160, layout="constrained")
    axes = figure.add_subplot()
    others = iter(OTHERS * len(table.rows))
    repeats: dict[str, int] = {}
    for row in table.rows:
        colour = FIXED.get(row.init) or next(others)
        nth = repeats[row.init] = repeats.get(row.init, -1) + 1
        _draw(axes, row, colour, marker=MARKERS[nth % len(MARKERS)] if nth else "")
    if table.classes:
        axes.axhline(
            100 / table.classes,
            color="#555555",
            linewidth=1,
            linestyle="--",
            label=f"Chance, {100 / table.classes:.1f} %",
        )
    axes.set_xlabel("Epoch", fontsize=13)
    axes.set_ylabel("Validation clip accuracy, %", fontsize=13)
    axes.tick_params(labelsize=12)
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=11, frameon=True, framealpha=0.85, edgecolor="none", loc="best")
    png = io.BytesIO()
    figure.savefig(png, format="png", metadata={"Software": None})
    return png.getvalue()


def spread(runs: tuple[Run, ...]) -> dict[int, list[float]]:
    """Validation accuracies in % by epoch, over the runs that got so far."""
    found: dict[int, list[float]] = {}
    for run in runs:
        for epoch, value in curve(run, VAL).items():
            found.setdefault(epoch, []).append(100 * value)
    return dict(sorted(found.items()))


def _draw(axes: "Axes", row: Row, colour: str, marker: str) -> None:
    points = spread(row.runs)
    if not points:
        return
    seeds = max(map(len, points.values()))
    means = {epoch: sum(values) / len(values) for epoch, values in points.items()}
    whole = [epoch for epoch in points if len(points[epoch]) == seeds]
    tail = [epoch for epoch in points if epoch >= whole[-1]]
    label = f"{row.label}, {seeds} seed{'s' if seeds > 1 else ''}"
    # A lone epoch draws no line, so it gets a point.
    axes.plot(whole, [means[e] for e in whole], color=colour, linewidth=2, label=label,
              marker=marker or ("o" if len(points) == 1 else ""), markersize=5)  # fmt: skip
    if len(tail) > 1:
        axes.plot(tail, [means[e] for e in tail], color=colour, linewidth=1.5, linestyle=":")
    low, high = [min(points[e]) for e in whole], [max(points[e]) for e in whole]
    axes.fill_between(whole, low, high, color=colour, alpha=0.15, linewidth=0)
