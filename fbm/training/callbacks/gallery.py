"""Pictures like the paper's Figure 2, of the same clips every time."""

from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch
from matplotlib.figure import Figure

from fbm.data.batch import ClipBatch
from fbm.data.clips import ClipDataset, SampleKey, spread
from fbm.tasks.task import Pictures, PretrainingTask
from fbm.training.callbacks.clip_data import clip_data
from fbm.utils.errors import UserError
from fbm.utils.files import atomic_write

COLUMNS = 12  # of frames side by side, unless one example has more


class Gallery(pl.Callback):
    """Draws reconstructions above the truth: `epoch-NNN.png` of validation clips, `test.png` of test clips.

    For a task that reconstructs the foreground of every frame also `strip-epoch-NNN.png` and `strip-test.png`.

    Args:
        folder: for the pictures.
        every: epochs between two pictures; the first and the last epoch have one.
        examples: clips shown, spread evenly over the split.
    """

    def __init__(self, folder: Path, every: int, examples: int) -> None:
        if every < 1 or examples < 1:
            raise UserError(f"callbacks.gallery: every={every} and examples={examples} must be at least 1")
        self.folder, self.every, self.examples = Path(folder), every, examples

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        epoch = trainer.current_epoch
        if epoch % self.every == 0 or epoch + 1 == trainer.max_epochs or trainer.should_stop:
            self._draw(trainer, pl_module, "val", f"epoch-{epoch:03}.png")

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._draw(trainer, pl_module, "test", "test.png")

    def _draw(self, trainer: pl.Trainer, task: pl.LightningModule, split: str, name: str) -> None:
        data = clip_data(trainer)
        if not (trainer.is_global_zero and isinstance(task, PretrainingTask) and data):
            return
        batch = fixed_clips(data.clips[split] if len(data.clips[split]) else data.clips["train"], self.examples)
        training = task.training
        task.eval()
        batch = batch.moved(task.device)
        drawn = {name: task.visualize(batch), f"strip-{name}": task.frame_strip(batch)}
        task.train(training)
        for file_name, pictures in drawn.items():
            if pictures is not None:
                with atomic_write(self.folder / file_name) as file:
                    draw(pictures).savefig(file, format="png", dpi=120)


def fixed_clips(clips: ClipDataset, count: int) -> ClipBatch:
    """`count` clips spread evenly over a split, always the same ones."""
    return clips.batch([SampleKey(0, sample) for sample in spread(len(clips), count)])


def draw(pictures: Pictures) -> Figure:
    """Examples in blocks, up to four a row: reconstruction above, truth below, a column for each title."""
    columns = len(pictures.titles)
    across = max(1, min(4, COLUMNS // columns, len(pictures.true)))
    down = -(-len(pictures.true) // across)
    figure = Figure(figsize=(across * columns * 1.0 + 0.4, down * 2.2 + 0.3), layout="constrained")
    blocks = figure.subfigures(down, across, squeeze=False)
    for number, block in enumerate(blocks.flat):
        axes = block.subplots(2, columns, gridspec_kw={"wspace": 0.02, "hspace": 0.02}, squeeze=False)
        for row, frames in enumerate((pictures.reconstructed, pictures.true)):
            for column, title in enumerate(pictures.titles):
                axis = axes[row, column]
                axis.set_axis_off()
                if number < len(frames):
                    axis.imshow(_pixels(frames[number, column]))
                if row == 0 and number < across:
                    axis.set_title(title.replace(" ", "\n", 1), fontsize=7)
    return figure


def _pixels(frame: torch.Tensor) -> np.ndarray:
    pixels: np.ndarray = frame.float().add(1).div(2).clamp(0, 1).permute(1, 2, 0).cpu().numpy()
    return pixels
