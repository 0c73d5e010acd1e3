"""docs/store.md shows how a store is read without fbm: its programs, run on stores of every kind."""

import re
import runpy
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from fbm.data.datasets.ucf101 import UCF101
from fbm.data.masks.boxes import BoxMasks
from fbm.data.store.frame_store import FrameStore
from fbm.data.store.preparation import Preparation
from fbm.data.store.prepare import prepare
from tests.conftest import REPOSITORY, SIZE

pytestmark = pytest.mark.slow

PROGRAMS = dict(
    re.findall(r"```python\n# (\w+\.py)\n(.*?)```", (REPOSITORY / "docs" / "store.md").read_text(), re.DOTALL)
)


@pytest.mark.parametrize("kind", ["raw", "jpeg", "webp", "files"])
def test_the_programs_of_the_document_read_a_store(small_root, tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "manifest", raising=False)
    for name, content in PROGRAMS.items():
        Path(name).write_text(content)
    prepare(
        Preparation(
            UCF101(small_root.path), BoxMasks(small_root.path), "boxes", Path("stores/demo"), SIZE, 1, 600, frames=kind
        )
    )
    if kind != "files":
        shutil.rmtree(small_root.path)
    store = FrameStore(Path("stores/demo"))
    video = store.usable[0]
    program = {"jpeg": "encoded.py", "webp": "encoded.py"}.get(kind, f"{kind}.py")
    frames, expected = np.array(runpy.run_path(program)["frames"]), store.frames(video.name, 0, video.frames)
    assert len(frames) == video.frames
    if kind == "files":
        small = np.stack([cv2.resize(frame, (SIZE, SIZE), interpolation=cv2.INTER_AREA) for frame in frames])
        assert np.abs(small.astype(int) - expected).mean() < 4
    else:
        assert np.array_equal(frames, expected)
    masks = runpy.run_path("masks.py")["masks"]
    assert masks.any()
    assert np.array_equal(masks, store.masks(video.name, slice(0, video.frames)))


def test_each_program_is_short():
    assert len(PROGRAMS) == 5
    assert all(len([line for line in text.splitlines() if line.strip()]) <= 10 for text in PROGRAMS.values())
