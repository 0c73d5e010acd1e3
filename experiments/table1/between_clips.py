"""Does a pretraining's foreground decoder use the features? How much differs between clips, layer by layer.

Of each output of the decoder, the share of its energy that is variance over validation clips: a network that draws the
same blob for every clip has little of it at the end, whatever its features hold.
"""

import argparse
import sys
from pathlib import Path

import torch
from torch import Tensor

from fbm.data.clips import ClipDataset, SampleKey, clip_settings
from fbm.data.store.frame_store import FrameStore
from fbm.evaluation.trained_run import TrainedRun
from fbm.models.disentangler import split_features
from fbm.tasks import Disentangle
from fbm.utils.messages import exit_status


def between_clips(values: Tensor) -> float:
    """The variance over clips of `B ...`, as a share of the mean square."""
    return float(values.var(0, correction=0).mean() / values.square().mean())


@torch.no_grad()
def shares(folder: Path, store: Path) -> dict[str, float]:
    """The foreground features' share, and that of every output of the foreground decoder's layers."""
    run = TrainedRun(folder, "cpu")
    task: Disentangle = run.task(Disentangle, "the run must be of task=disentangle")
    data = run.config["data"]
    clips = ClipDataset(FrameStore(store), "val", **clip_settings(data), seed=0)
    clips.mask_frames = (0, -1)
    clip, _ = task.inputs(clips.batch([SampleKey(0, sample) for sample in range(len(clips))]))
    maps = split_features(task.network.encoder(clip)).foreground
    found = {"features": between_clips(maps)}
    for number, layer in enumerate(task.network.foreground_decoder.layers):
        maps = layer(maps)
        found[f"{number} {type(layer).__name__}"] = between_clips(maps)
    return found


def main() -> None:
    """Print a Markdown table, a column per run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+", help="folders of task=disentangle runs")
    parser.add_argument("--store", type=Path, required=True, help="that they were trained on")
    given = parser.parse_args()
    columns = {run.name: shares(run, given.store) for run in given.runs}
    print(f"| output | {' | '.join(columns)} |\n" + "| --- " * (1 + len(columns)) + "|")
    for name in next(iter(columns.values())):
        print(f"| {name} | {' | '.join(f'{found[name]:.2f}' for found in columns.values())} |")


if __name__ == "__main__":
    sys.exit(exit_status(main))
