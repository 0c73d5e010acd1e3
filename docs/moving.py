"""Draw docs/moving.gif from a run of task=disentangle."""

import argparse
import sys
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from fbm.data.clips import ClipDataset, SampleKey
from fbm.data.store.frame_store import FrameStore
from fbm.evaluation.probing.swaps import chosen_samples
from fbm.evaluation.trained_run import TrainedRun
from fbm.models.disentangler import Disentangler, split_features
from fbm.models.layers import to_input, to_pixels
from fbm.tasks import Disentangle
from fbm.utils.messages import exit_status

CLIPS, SCALE, GAP, TITLE = 4, 2, 6, 30
TITLES = ("clip", "its foreground,\nfirst and last", "its background", "moved as the\nclip below moves")
HOLD = 4  # frames that the last one stays
COLOURS = 160


@torch.no_grad()
def columns(network: Disentangler, clips: Tensor) -> Tensor:
    """The pictures of every frame, `T N 4 3 H W` in [-1, 1], of clips `N 3 T H W`.

    Of the foregrounds there are two, which are shown in the first and the second half.
    """
    features = split_features(network.encoder(clips))
    own = network.reconstruct(features).reconstruction
    other = network.reconstruct(features._replace(motion=features.motion.roll(-1, 0))).reconstruction
    shown = []
    for frame in range(clips.shape[2]):
        late = frame >= clips.shape[2] // 2
        foregrounds = [made.last_foreground if late else made.first_foreground for made in (own, other)]
        shown.append(torch.stack([clips[:, :, frame], foregrounds[0], own.first_background, foregrounds[1]], 1))
    return torch.stack(shown)


def draw(pictures: Tensor) -> Image.Image:
    """One frame of the GIF: a row per clip, a column per picture, of `N 4 3 H W`."""
    rows, count, _, height, width = pictures.shape
    side = width * SCALE + GAP
    canvas = Image.new("RGB", (count * side + GAP, TITLE + rows * side + GAP), "white")
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(11)
    for column, title in enumerate(TITLES):
        middle = GAP + column * side + width * SCALE // 2
        pen.multiline_text((middle, TITLE), title, "black", font, anchor="md", spacing=1, align="center")
    for row in range(rows):
        for column in range(count):
            frame = Image.fromarray(to_pixels(pictures[row, column]).permute(1, 2, 0).numpy())
            frame = frame.resize((width * SCALE, height * SCALE), Image.Resampling.NEAREST)
            canvas.paste(frame, (GAP + column * side, TITLE + GAP + row * side))
    return canvas


def main() -> None:
    """Write the GIF from test clips that are chosen by class, not by look."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="its folder")
    parser.add_argument("store", type=Path, help="of the clips")
    given = parser.parse_args()
    task: Disentangle = TrainedRun(given.run, "cpu").task(Disentangle, "the run must be of task=disentangle")
    network = task.network
    frames = network.encoder.frames
    clips = ClipDataset(FrameStore(given.store), "test", 2 * frames, frames, seed=0)
    batch = clips.batch([SampleKey(0, sample) for sample in chosen_samples(clips, CLIPS)])
    drawn = [draw(pictures) for pictures in columns(network, to_input(batch.frames, network.encoder.size))]
    both = Image.new("RGB", (drawn[0].width, 2 * drawn[0].height))
    for half, picture in enumerate((drawn[0], drawn[-1])):
        both.paste(picture, (0, half * picture.height))
    palette = both.quantize(COLOURS)
    shown = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in [*drawn, *[drawn[-1]] * HOLD]]
    out = Path(__file__).with_name("moving.gif")
    shown[0].save(out, save_all=True, append_images=shown[1:], duration=110, loop=0, optimize=True)
    print(f"{out}: {out.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    sys.exit(exit_status(main))
