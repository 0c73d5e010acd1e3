"""A prepared store made in milliseconds, and the settings of runs on it that take a second or two."""

import sys
from collections.abc import Collection
from pathlib import Path

import numpy as np
from hydra.core.hydra_config import HydraConfig

from benchmarks.made_store import put
from fbm.cli.main import main
from fbm.data.datasets.ucf101 import UCF101
from fbm.data.store.manifest import MANIFEST, Manifest, StoredVideo
from fbm.utils.files import write_text

SIZE, FRAMES = 32, 34
CLASSES = ("Bounce", "Circle", "Drift")
GROUPS = {1: "test", 2: "test", 3: "train", 4: "train", 5: "train", 6: "val"}


def make_store(root: Path, masks: bool = True, val: bool = True, empty: Collection[str] = ()) -> Path:
    """Two clips each of six groups of three classes: 18 (24 without `val`) train, 6 val and 12 test clips.

    A class is a colour, so that a few steps learn something; the foreground is a square of the frame, and nothing in
    the splits that are named `empty`.
    """
    rng = np.random.default_rng(0)
    rows = []
    for label, action in enumerate(CLASSES):
        for group, split in GROUPS.items():
            for clip in (1, 2):
                name = f"{action}/v_{action}_g{group:02}_c{clip:02}"
                frames = rng.integers(0, 80, (FRAMES, SIZE, SIZE, 3), dtype=np.uint8)
                frames[:, 8:24, 8:24, label] += 150
                split_here = "train" if split == "val" and not val else split
                drawn = np.zeros((FRAMES, SIZE, SIZE), bool)
                drawn[:, 8:24, 8:24] = masks and split_here not in empty
                rows.append(_stored(root, name, action, group, split_here, frames, drawn, masks))
    source = UCF101(None) if val else UCF101(None, validation=0.0)
    manifest = Manifest(SIZE, "boxes" if masks else "none", source.selection(), rows)
    write_text(root / MANIFEST, manifest.to_json())
    return root


def _stored(root, name, action, group, split, frames, drawn, masks) -> StoredVideo:
    checksum, masks_checksum = put(root, name, frames, np.packbits(drawn, axis=-1) if masks else None)
    return StoredVideo(
        *(name, action, group, split, "ok"),
        frames=len(frames),
        masked_frames=int(drawn.any((1, 2)).sum()),
        checksum=checksum,
        masks_checksum=masks_checksum,
    )


def settings(store: Path, *more: str) -> list[str]:
    """Overrides of a small, quick run on a store of `make_store`: CSV alone, no bar, one epoch of two steps."""
    return [
        *(f"data.store={store}", f"data.size={SIZE}", f"data.validation={UCF101.validation}", "data.batch_size=8"),
        *("encoder.width=4", "trainer=cpu"),
        *("trainer.max_epochs=1", "optim.lr=1e-3", "logger=csv", "callbacks.progress=null"),
        *more,
    ]


def fbm(*arguments: str) -> int:
    """The command line in this process; gives its exit status."""
    before = sys.argv
    try:
        return main(list(arguments))
    except SystemExit as stop:  # as a single job's errors leave Hydra
        return int(stop.code or 0)
    finally:
        sys.argv = before
        HydraConfig.instance().cfg = None  # one process is one application, outside tests


def only_error(text: str) -> str:
    """The message of the one line that standard error should hold."""
    lines = text.splitlines()
    assert len(lines) == 1, text
    assert lines[0].startswith("fbm: error: "), text
    return lines[0].removeprefix("fbm: error: ")
