"""A grid of swaps as a picture: sources on the margins, what is made of them inside, own with own in a frame."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from fbm.evaluation.probing.swaps import Grid

# In pictures, which are an inch wide.
SOURCE = 2  # of a source
GAP = 0.2  # between the margins and the grid
LEFT, TOP = 0.25, 0.5  # for names
SPACE = 0.025  # around each
OWN = "#D55E00"


def draw_grid(grid: Grid) -> Figure:
    """Rows and columns are sources, each with its two pictures; the diagonal, a clip with itself, is framed."""
    count, start = len(grid.cells), SOURCE + GAP
    figure, axis = _blank(start + count)
    figure.text(0.5, 1 - 0.1 / figure.get_figheight(), grid.title, ha="center", va="top", fontsize=10)
    axis.text(SOURCE / 2, 0.5, f"{grid.columns.source}  \N{RIGHTWARDS ARROW}", ha="center", va="center")
    axis.text(SOURCE / 2, 1.5, f"{grid.rows.source}  \N{DOWNWARDS ARROW}", ha="center", va="center")
    for which in range(SOURCE):
        _name_row(axis, start, which, grid.columns.shows[which])
        _name_column(axis, which, start, grid.rows.shows[which])
    for number in range(count):
        _name_row(axis, 0, start + number, grid.rows.names[number])
        _name_column(axis, start + number, 0, grid.columns.names[number])
        for which in range(SOURCE):
            _show(axis, which, start + number, grid.rows.pictures[number, which])
            _show(axis, start + number, which, grid.columns.pictures[number, which])
        for column in range(count):
            _show(axis, start + column, start + number, grid.cells[number, column])
        frame = Rectangle((start + number, start + number), 1, 1, fill=False, edgecolor=OWN, linewidth=2.5)
        axis.add_patch(frame)
    return figure


def _blank(side: float) -> tuple[Figure, Axes]:
    """A figure with room for names, and in it axes of `side` pictures each way, from the top left corner."""
    width, height = side + LEFT + SPACE, side + TOP + SPACE
    figure = Figure(figsize=(width, height), dpi=120)
    axis = figure.add_axes((LEFT / width, SPACE / height, side / width, side / height))
    axis.set(xlim=(0, side), ylim=(side, 0), autoscale_on=False)
    axis.set_axis_off()
    return figure, axis


def _name_row(axis: Axes, x: float, y: float, name: str) -> None:
    axis.text(x - 0.03, y + 0.5, name, rotation=90, ha="right", va="center", fontsize=8, parse_math=False)


def _name_column(axis: Axes, x: float, y: float, name: str) -> None:
    axis.text(x + 0.5, y - 0.03, name, ha="center", va="bottom", fontsize=8, parse_math=False)


def _show(axis: Axes, x: float, y: float, frame: Tensor) -> None:
    pixels = frame.float().add(1).div(2).clamp(0, 1).permute(1, 2, 0).cpu().numpy()
    axis.imshow(pixels, extent=(x + SPACE, x + 1 - SPACE, y + 1 - SPACE, y + SPACE))
