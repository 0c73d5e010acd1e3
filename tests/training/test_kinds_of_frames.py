"""Runs on stores of every kind of frames."""

import shutil
import time
from pathlib import Path

import pytest

from fbm.data.datasets.ucf101 import UCF101
from fbm.data.masks.boxes import BoxMasks
from fbm.data.store.kinds.choose import KINDS
from fbm.data.store.preparation import Preparation
from fbm.data.store.prepare import prepare
from tests.conftest import SIZE, make_small_root
from tests.tiny import fbm, only_error, settings
from tests.training.interrupted import Moment, assert_same, killed, summary

pytestmark = pytest.mark.slow
QUICK = (
    *("task=autoencode", "data.batch_size=2", "data.chunk_frames=16", "trainer.max_epochs=2"),
    *("data.validation=0.1", "callbacks.last.minutes=0"),
)


@pytest.fixture(scope="module")
def place(demo_root, tmp_path_factory) -> Path:
    folder: Path = tmp_path_factory.mktemp("kinds")
    root = make_small_root(demo_root, folder / "root")
    for kind in KINDS:
        prepare(Preparation(UCF101(root.path), BoxMasks(root.path), "boxes", folder / kind, SIZE, 1, 600, frames=kind))
    return folder


def run(place: Path, kind: str, folder: Path, *more: str) -> int:
    return fbm("train", *settings(place / kind, *QUICK, f"run_dir={folder}", *more))


def metrics(folder: Path) -> dict[str, float]:
    return {name: value for name, value in summary(folder)["metrics"].items() if not name.startswith("time/")}


def test_a_run_from_the_videos_is_the_run_from_raw_frames(place, tmp_path, capsys):
    assert run(place, "raw", tmp_path / "raw") == 0
    assert "data.frames=files" not in capsys.readouterr().out
    assert run(place, "files", tmp_path / "files", "data.num_workers=2") == 0
    assert "data.frames=files: a process decodes about" in capsys.readouterr().out
    assert metrics(tmp_path / "files") == metrics(tmp_path / "raw")


@pytest.mark.parametrize("kind", ["jpeg", "files"])
def test_an_interrupted_run_goes_on_as_if_nothing_had_been(place, tmp_path, kind):
    assert run(place, kind, tmp_path / "whole") == 0
    killed(lambda: run(place, kind, tmp_path / "killed"), Moment("on_train_batch_start", 1, 1))
    assert run(place, kind, tmp_path / "killed") == 0
    assert_same(tmp_path / "killed", tmp_path / "whole")


@pytest.mark.parametrize(
    ("kind", "setting", "said"),
    [
        ("files", "data.frames=raw", "prepared with data.frames=files, this run asks for data.frames=raw"),
        ("raw", "data.frames=jpeg", "prepared with data.frames=raw, this run asks for data.frames=jpeg"),
        ("jpeg", "data.quality=50", "prepared with data.quality=90, this run asks for data.quality=50"),
    ],
)
def test_a_setting_that_contradicts_the_store_is_refused(place, tmp_path, capsys, kind, setting, said):
    assert run(place, kind, tmp_path / "run", setting) == 1
    assert said in only_error(capsys.readouterr().err)


def test_a_video_that_is_gone_ends_a_run_before_it_begins(demo_root, tmp_path, capsys):
    root = make_small_root(demo_root, tmp_path / "root")
    prepare(Preparation(UCF101(root.path), None, "none", tmp_path / "store", SIZE, 1, 600, frames="files"))
    shutil.move(root.path, tmp_path / "elsewhere")
    assert fbm("train", *settings(tmp_path / "store", *QUICK, f"run_dir={tmp_path / 'run'}")) == 1
    said = only_error(capsys.readouterr().err.splitlines()[-1])
    assert "g01_c01.avi is missing (and 3 more files are not whole): put it back, or run `fbm prepare` again" in said
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_a_decoder_that_hangs_is_one_line(place, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("fbm.data.datamodule.HANGING", 3)
    monkeypatch.setattr("fbm.training.components.reading_cost", lambda clips: "")
    monkeypatch.setattr("fbm.data.store.kinds.files.VideoFrames.fill", hang)
    assert run(place, "files", tmp_path / "run", "data.num_workers=1") == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert "DataLoader timed out after 3 seconds: a video may hang its decoder; `fbm doctor`" in only_error(said)


def hang(*_: object) -> None:
    time.sleep(60)
