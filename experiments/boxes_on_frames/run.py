"""Do the masks made from boxes lie on the people? Frames of a store with what is masked out darkened."""

import argparse
import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from fbm.data.store.frame_store import FrameStore
from fbm.utils.messages import exit_status


def main() -> None:
    """Draw frames of every video in a store, one row per video, evenly spaced among those with a box."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--frames", type=int, default=6)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    store = FrameStore(given.store)
    videos = store.usable
    figure = Figure(figsize=(1.6 * given.frames, 1.8 * len(videos)), layout="constrained")
    rows = figure.subfigures(len(videos), 1, squeeze=False)[:, 0]
    for row, video in zip(rows, videos, strict=True):
        masked = np.flatnonzero(store.masks(video.name, slice(0, video.frames)).any((1, 2)))
        row.suptitle(f"{video.name}, {len(masked)} of {video.frames} frames have a box", fontsize=8)
        shown = masked[np.linspace(0, len(masked) - 1, given.frames).round().astype(int)]
        for axis, number in zip(row.subplots(1, given.frames), shown, strict=True):
            frame = store.frames(video.name, number, number + 1)[0]
            mask = store.masks(video.name, slice(number, number + 1))[0].astype(bool)
            axis.imshow(np.where(mask[..., None], frame, frame // 3))
            axis.set_title(f"frame {number}", fontsize=7)
            axis.set_axis_off()
    given.out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(given.out, dpi=80)


if __name__ == "__main__":
    sys.exit(exit_status(main))
