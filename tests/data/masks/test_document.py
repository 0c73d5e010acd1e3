"""docs/masks.md: its program makes masks that `fbm prepare` reads, with a stand-in for SAM 2's weights."""

import re
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from fbm.data.masks.files import FileMasks
from fbm.data.store.frame_store import FrameStore
from tests.conftest import REPOSITORY
from tests.data.small_videos import HEIGHT, WIDTH, make_video
from tests.tiny import fbm

PROGRAM = re.findall(r"```python\n(.*?)```", (REPOSITORY / "docs" / "masks.md").read_text(), re.DOTALL)[0]


FRAMES = 34


class Follower:
    """SAM 2's interface: repeats the mask that it was shown, a pixel further to the right in every frame."""

    @classmethod
    def from_pretrained(cls, name: str) -> "Follower":
        assert name.startswith("facebook/sam2")
        return cls()

    def init_state(self, folder: str) -> dict[str, Any]:
        return {"frames": [np.array(Image.open(path)) for path in sorted(Path(folder).glob("*.jpg"))]}

    def add_new_mask(self, state: dict[str, Any], frame: int, number: int, mask: np.ndarray) -> None:
        assert mask.shape == state["frames"][frame].shape[:2]
        assert mask.dtype == bool
        state["shown"] = frame, mask

    def propagate_in_video(
        self, state: dict[str, Any], start_frame_idx: int, reverse: bool
    ) -> Iterator[tuple[int, list[int], torch.Tensor]]:
        shown, mask = state["shown"]
        assert start_frame_idx == shown
        for frame in range(shown, -1, -1) if reverse else range(shown, len(state["frames"])):
            moved = np.roll(mask, frame - shown, axis=1)
            yield frame, [1], torch.from_numpy(np.where(moved, 5.0, -5.0))[None, None]


@pytest.mark.slow
def test_masks_of_another_program_by_the_document(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(("a", "b/c", "still")):
        make_video(Path("films") / f"{name}.mp4", number, FRAMES)
        folder = Path("masks/films") / name
        folder.mkdir(parents=True)
        for frame in range(FRAMES):
            mask = np.zeros((HEIGHT, WIDTH), np.uint8)
            if name != "still" and frame > 2:  # nothing at first, then small, then of one size
                mask[4:12, 6 : 8 if frame == 3 else 14] = 255
            Image.fromarray(mask).save(folder / f"{frame:05d}.png")
    module = ModuleType("sam2.sam2_video_predictor")
    module.SAM2VideoPredictor = Follower  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sam2", ModuleType("sam2"))
    monkeypatch.setitem(sys.modules, "sam2.sam2_video_predictor", module)
    monkeypatch.setattr(sys, "argv", ["sam2_masks.py", "films", "masks", "sam2"])
    Path("sam2_masks.py").write_text(PROGRAM)
    runpy.run_path("sam2_masks.py")
    assert not FileMasks(None, Path("sam2")).unmatched(["films/a", "films/b/c", "films/still"])
    words = ["data=folder", "data.folders=[films]", "data.store=store", "data.size=32"]
    assert fbm("prepare", *words, "masks=files", "masks.source.folder=sam2") == 0
    store = FrameStore(Path("store"))
    masks = {video.name: store.masks(video.name, slice(FRAMES)) for video in store.usable}
    assert {name: bool(found.any((1, 2)).all()) for name, found in masks.items()} == {
        "films/a": True,
        "films/b/c": True,
        "films/still": False,
    }
    assert not masks["films/still"].any()
