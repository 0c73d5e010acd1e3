"""What batch norm's running statistics cost: L_rec of a finished pretraining on validation, with and without them.

The foreground decoder makes two kinds of picture in two passes and has one set of running statistics for both; the
encoder's follow the reversed clip as well (the pass that makes L_feat's target).
"""

import argparse
import sys
from pathlib import Path

import torch
from torch import nn

from fbm.data.clips import ClipDataset, SampleKey, clip_settings
from fbm.data.store.frame_store import FrameStore
from fbm.evaluation.trained_run import TrainedRun
from fbm.models.losses import disentangling_losses
from fbm.tasks import Disentangle
from fbm.utils.messages import exit_status

BATCH = 36


def losses(run: TrainedRun, clips: ClipDataset, batch_statistics: tuple[str, ...]) -> dict[str, float]:
    """Means over the clips, with the statistics of a batch of 36 in the named parts of the network."""
    task: Disentangle = run.task(Disentangle, "the run must be of task=disentangle")
    for name, layer in task.network.named_modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm) and name.startswith(batch_statistics):
            layer.train()
            layer.momentum = 0.0  # the running ones stay
    sums: dict[str, float] = {}
    for start in range(0, len(clips), BATCH):
        keys = [SampleKey(0, sample) for sample in range(start, min(start + BATCH, len(clips)))]
        clip, masks = task.inputs(clips.batch(keys))
        with torch.no_grad():
            terms = disentangling_losses(task.network(clip), clip, masks, task.network.foreground_feature_target(clip))
        for name, value in {**terms._asdict(), "reconstruction": terms.reconstruction}.items():
            sums[name] = sums.get(name, 0.0) + float(value) * len(keys) / len(clips)
    return sums


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="folder of a task=disentangle run")
    parser.add_argument("store", type=Path, help="that it was trained on")
    given = parser.parse_args()
    run = TrainedRun(given.run, "cpu")
    data = run.config["data"]
    clips = ClipDataset(FrameStore(given.store), "val", **clip_settings(data), seed=0)
    clips.mask_frames = (0, -1)
    rows: dict[str, tuple[str, ...]] = {
        "running statistics everywhere": (),
        "the batch's own in the foreground decoder": ("foreground_decoder",),
        "the batch's own in the encoder": ("encoder",),
        "the batch's own everywhere": ("",),
    }
    names = ("first_foreground", "last_foreground", "first_background", "reconstruction")
    print(f"| statistics | {' | '.join(names)} |\n" + "| --- " * (1 + len(names)) + "|")
    for title, parts in rows.items():
        found = losses(run, clips, parts)
        print(f"| {title} | {' | '.join(f'{found[name]:.3f}' for name in names)} |")


if __name__ == "__main__":
    sys.exit(exit_status(main))
