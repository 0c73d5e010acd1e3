"""The recipes for all of UCF-101: they compose, build, and make a step on a small store; and which videos they mean."""

from pathlib import Path

import pytest

from fbm.config.compose import compose, conf_dir
from fbm.config.instantiate import check_run
from fbm.data.datasets.ucf101 import UCF101
from fbm.training.components import build_components
from fbm.utils.errors import UserError

pytestmark = pytest.mark.slow
RECIPES = sorted(path.stem for path in (conf_dir() / "experiment" / "ucf101").glob("*.yaml"))
# On the store of tests: the smallest frames that this encoder's decoders take.
SMALL = (
    *("data.classes=present", "data.size=32", "encoder.size=16", "encoder.width=4", "encoder.norm=group"),
    *("data.batch_size=4", "data.num_workers=0", "trainer=cpu", "trainer.max_epochs=2", "logger=csv"),
    *("trainer.limit_train_batches=1", "trainer.limit_val_batches=1", "callbacks=default", "callbacks.progress=null"),
    *("callbacks.gallery=null", "callbacks.probes=null", "callbacks.checkpoint=null", "callbacks.last=null"),
)


def test_these_are_the_recipes():
    assert RECIPES == ["contrast", "disentangle", "finetune", "linear", "order"]


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_of_all_classes_at_its_size(name):
    config = compose([f"experiment=ucf101/{name}"])
    assert (config.data.classes, config.data.split, config.data.size, config.data.clip_frames) == ("all", 1, 128, 16)
    assert (config.encoder.size, config.encoder._target_.rpartition(".")[2]) == (112, "R3D18")
    assert config.augment is not None
    check_run(config)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_makes_a_step(store, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = compose([f"experiment=ucf101/{name}", f"data.store={store}", *SMALL])
    parts = build_components(config, "0")
    parts.trainer.fit(parts.task, parts.data)
    assert parts.trainer.global_step == 2
    assert parts.task.encoder.frame_size == 32
    assert "val/loss" in parts.trainer.callback_metrics


@pytest.fixture
def whole(tmp_path: Path, real_data: Path) -> Path:
    """A root with the official lists and a folder for each of their classes, but no video."""
    lists = real_data / "ucf101" / "ucfTrainTestlist"
    (tmp_path / "ucfTrainTestlist").symlink_to(lists)
    for line in (lists / "classInd.txt").read_text().split("\n"):
        if line.strip():
            (tmp_path / "UCF-101" / line.split()[1]).mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize(("split", "train", "test"), [(1, 9537, 3783), (2, 9586, 3734), (3, 9624, 3696)])
def test_the_official_lists_are_101_classes(whole, split, train, test):
    source = UCF101(whole, classes="all", split=split)
    videos = source.videos()
    counted = {part: sum(video.split == part for video in videos) for part in ("train", "val", "test")}
    assert len(source.class_names()) == 101
    assert {video.action for video in videos} == set(source.class_names())
    assert (counted["train"] + counted["val"], counted["test"]) == (train, test)
    assert 0.08 < counted["val"] / train < 0.14
    assert UCF101(whole, split=split).videos() == videos


def test_a_class_that_is_missing_is_refused(whole):
    (whole / "UCF-101" / "Archery").rmdir()
    with pytest.raises(UserError, match=r"1 of 101 classes have no folder in .*: Archery;"):
        UCF101(whole, classes="all").class_names()
