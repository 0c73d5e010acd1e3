"""A tiny classification and a tiny pretraining, trained by `fbm.train`, and videos to apply them to."""

from pathlib import Path

import pytest

import fbm
from fbm.data.store.frame_store import FrameStore
from fbm.evaluation.trained_run import TrainedRun

SMALL = (
    *("data.batch_size=8", "encoder.width=4", "trainer=cpu", "trainer.max_epochs=1", "logger=csv"),
    *("callbacks.progress=null", "test=true", "optim.lr=1e-2"),
)


@pytest.fixture(scope="session")
def runs(demo_store, tmp_path_factory) -> dict[str, TrainedRun]:
    """Trained in this process; look, do not touch."""
    return trained(tmp_path_factory.mktemp("runs"), demo_store)


def trained(folder: Path, store: Path, *more: str) -> dict[str, TrainedRun]:
    """A classification and a pretraining by task, with such settings beside `SMALL`."""
    small = (f"data.store={store}", *SMALL, *more)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return {
            task: fbm.load((folder / fbm.train(f"task={task}", *small).path).resolve(), "cpu")
            for task in ("classify", "disentangle")
        }


@pytest.fixture(scope="session")
def videos(demo_root, demo_store) -> dict[str, str]:
    """The test videos by their paths, with their classes."""
    rows = [row for row in FrameStore(demo_store).manifest.videos if row.split == "test"]
    assert len(rows) == 6
    return {str(demo_root / "UCF-101" / f"{row.name}.avi"): row.action for row in rows}
