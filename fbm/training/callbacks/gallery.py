"""Pictures like the paper's Figure 2, of the same clips every time."""

from pathlib import Path

import pytorch_lightning as pl
import torch
from PIL import Image, ImageDraw, ImageFont

from fbm.data.batch import ClipBatch
from fbm.data.clips import ClipDataset, SampleKey, evenly_spaced
from fbm.models.layers import to_pixels
from fbm.tasks.task import Pictures, PretrainingTask
from fbm.training.callbacks.clip_data import clip_data
from fbm.utils.errors import UserError
from fbm.utils.files import atomic_write

COLUMNS = 12  # of frames side by side, unless one example has more
# In pixels.
LEAST = 96  # width of a frame, as drawn
GAP = 2  # around each frame
MARGIN = 6  # around each example
LETTERS = 12
TITLE = 32  # room for a title's two lines


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
                    draw(pictures).save(file, format="png")


def fixed_clips(clips: ClipDataset, count: int) -> ClipBatch:
    """`count` clips spread evenly over a split, always the same ones."""
    return clips.batch([SampleKey(0, sample) for sample in evenly_spaced(len(clips), count)])


def draw(pictures: Pictures) -> Image.Image:
    """Examples in blocks, up to four a row: reconstruction above, truth below, a column for each title.

    Pasted together, which takes milliseconds; a figure of as many axes would take longer than a small epoch.
    """
    count, columns, _, height, width = pictures.true.shape
    across = max(1, min(4, COLUMNS // columns, count))
    scale = -(-LEAST // width)
    cell_height, cell_width = height * scale + GAP, width * scale + GAP
    block_height, block_width = 2 * cell_height + MARGIN, columns * cell_width + MARGIN
    size = (MARGIN + across * block_width, TITLE + -(-count // across) * block_height)
    picture = Image.new("RGB", size, "white")
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(LETTERS)
    for number in range(count):
        top, left = TITLE + number // across * block_height, MARGIN + number % across * block_width
        for column, title in enumerate(pictures.titles):
            x = left + column * cell_width
            for row, frames in enumerate((pictures.reconstructed, pictures.true)):
                picture.paste(_drawn(frames[number, column], scale), (x, top + row * cell_height))
            if number < across:
                text, middle = title.replace(" ", "\n", 1), x + width * scale // 2
                pen.multiline_text((middle, TITLE - GAP), text, "black", font, anchor="md", spacing=1, align="center")
    return picture


def _drawn(frame: torch.Tensor, scale: int) -> Image.Image:
    """A frame `3 H W`, each pixel `scale` times each way."""
    pixels = to_pixels(frame).permute(1, 2, 0).cpu().numpy()
    return Image.fromarray(pixels).resize((pixels.shape[1] * scale, pixels.shape[0] * scale), Image.Resampling.NEAREST)
