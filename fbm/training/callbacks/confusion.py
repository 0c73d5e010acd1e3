"""The confusion matrix of a test as a picture."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
from matplotlib.figure import Figure

from fbm.tasks import Classify
from fbm.training.callbacks.clip_data import clip_data
from fbm.utils.files import atomic_write

LARGEST = 40  # inches of a side, for any number of classes
FEW = 30  # classes whose counts can still be read when they are written in


class ConfusionPicture(pl.Callback):
    """Draws `confusion.png` of the test clips, where the task classifies.

    Args:
        folder: for the picture.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.is_global_zero and isinstance(pl_module, Classify):
            data = clip_data(trainer)
            clips = data.samples["test"] if data else None
            with atomic_write(self.folder / "confusion.png") as file:
                figure = draw_confusion(pl_module.test_artifacts["confusion"], pl_module.classes, clips)
                figure.savefig(file, format="png", dpi=120)


def draw_confusion(counts: Sequence[Sequence[int]], classes: Sequence[str], clips: int | None = None) -> Figure:
    """Shares of each true class (a row), darker for more; the counts are written in where classes are few.

    Args:
        counts: C x C, rows true, columns predicted.
        classes: names of the C classes.
        clips: of the whole split, named where the counts are fewer.
    """
    numbers = np.asarray(counts)
    shares = numbers / np.maximum(numbers.sum(1, keepdims=True), 1)
    side = min(2.5 + 0.3 * len(classes), LARGEST)
    figure = Figure(figsize=(side, side), layout="constrained")
    axis = figure.subplots()
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    size = min(7.0, 25 * side / len(classes))
    # Dollars in a name are no formula.
    axis.set_xticks(range(len(classes)), classes, rotation=90, fontsize=size, parse_math=False)
    axis.set_yticks(range(len(classes)), classes, fontsize=size, parse_math=False)
    axis.set_xlabel("predicted")
    axis.set_ylabel("true")
    part = f"{numbers.sum()} of {clips} " if clips is not None and numbers.sum() < clips else ""
    axis.set_title(f"{part}test clips", fontsize=9)
    for row, column in np.argwhere(numbers) if len(classes) <= FEW else ():
        colour = "white" if shares[row, column] > 0.5 else "black"
        axis.text(column, row, str(numbers[row, column]), ha="center", va="center", fontsize=7, color=colour)
    return figure
