import shutil
from dataclasses import replace

import pytest
import torch

from fbm.data.datamodule import ClipDataModule
from fbm.data.demo import CLASSES
from fbm.data.store import MANIFEST, Manifest, read_manifest
from fbm.data.ucf101 import UCF101
from fbm.errors import UserError


def make(store, **changes):
    settings = {
        "size": 32,
        "masks": "boxes",
        "source": UCF101(None),
        "skip_broken": False,
        "chunk_frames": 32,
        "clip_frames": 16,
        "label_fraction": 1.0,
        "batch_size": 4,
        "workers": 0,
        "seed": 0,
    }
    return ClipDataModule(store, **{**settings, **changes})


def test_a_store_alone_is_enough(demo_store):
    module = make(demo_store)
    assert module.classes == sorted(CLASSES)
    assert module.samples == {"train": 18, "val": 6, "test": 6}
    assert module.masked


def test_batches_have_the_agreed_form(demo_store):
    module = make(demo_store)
    batch = next(iter(module.val_dataloader()))
    assert batch.frames.shape == (4, 16, 32, 32, 3)
    assert batch.masks.shape == (4, 16, 32, 32)
    assert batch.frames.dtype == batch.masks.dtype == torch.uint8
    assert batch.label.dtype == torch.int64
    assert [int(n) for each in module.test_dataloader() for n in each.sample] == list(range(6))


def test_an_incomplete_last_batch_is_dropped_only_in_training_and_where_there_is_another(demo_store):
    assert [len(batch.label) for batch in make(demo_store).train_dataloader()] == [4, 4, 4, 4]
    assert [len(batch.label) for batch in make(demo_store).test_dataloader()] == [4, 2]
    assert [len(batch.label) for batch in make(demo_store, batch_size=40).train_dataloader()] == [18]


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"size": 64}, "data.size=32, this run asks for data.size=64"),
        ({"masks": "none"}, "masks=boxes, this run asks for masks=none"),
        ({"source": UCF101(None, classes=["Bounce"])}, r"data.classes=present, .* data.classes=\['Bounce'\]"),
        ({"source": UCF101(None, split=2)}, "data.split=1, this run asks for data.split=2"),
        ({"source": UCF101(None, validation=0.3)}, "data.validation=0.1, this run asks for data.validation=0.3"),
        ({"source": UCF101(None, validation="paper")}, "data.validation=0.1, .* data.validation=paper"),
        ({"source": UCF101(None, validation_seed=1)}, "data.validation_seed=0, .* data.validation_seed=1"),
    ],
)
def test_a_store_of_other_settings_is_refused_by_their_name(demo_store, changes, key):
    with pytest.raises(UserError, match=f"was prepared with {key}: run `fbm prepare`"):
        make(demo_store, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"clip_frames": 33}, "data.clip_frames=33"),
        ({"clip_frames": 0}, "data.clip_frames=0"),
        ({"batch_size": 0}, "data.batch_size=0"),
        ({"workers": -1}, "data.workers=-1"),
        ({"label_fraction": 0.0}, "data.label_fraction=0.0"),
        ({"label_fraction": 1.1}, "data.label_fraction=1.1"),
        ({"chunk_frames": 200}, "no training video of at least 200 frames"),
    ],
)
def test_impossible_settings_are_refused(demo_store, changes, message):
    with pytest.raises(UserError, match=message):
        make(demo_store, **changes)


@pytest.fixture
def changed_store(demo_store, tmp_path):
    """A copy of the store whose rows a function has changed, with the fingerprint that belongs to them."""

    def change(function):
        shutil.copytree(demo_store, tmp_path / "store")
        old = read_manifest(demo_store)
        new = Manifest(old.size, old.masks, old.selection, [function(video) for video in old.videos])
        (tmp_path / "store" / MANIFEST).write_text(new.to_json())
        return tmp_path / "store"

    return change


def test_broken_videos_are_refused_unless_they_are_left_out_on_purpose(changed_store):
    def cut(video):
        return replace(video, status="short", reason="the file is cut") if video.group == 1 else video

    store = changed_store(cut)
    with pytest.raises(UserError, match=r"6 of 30 videos .* \(short: the file is cut\): .*data.skip_broken=true"):
        make(store)
    module = make(store, skip_broken=True)
    assert module.samples["test"] == 0
    assert len(module.classes) == 6  # labels do not move when videos break


def test_a_store_that_leaks_is_refused(changed_store):
    first = "Bounce/v_Bounce_g02_c01"

    def leak(video):
        return replace(video, group=1) if video.name == first else video

    with pytest.raises(UserError, match=r"the splits leak: group g01 of Bounce is in test .* and in"):
        make(changed_store(leak))


def test_without_validation_videos_there_is_no_validation_loader(changed_store):
    store = changed_store(lambda video: replace(video, split="train") if video.split == "val" else video)
    module = make(store)
    assert module.samples["val"] == 0
    assert module.val_dataloader() == []


def test_a_store_of_empty_masks_says_so(changed_store):
    assert not make(changed_store(lambda video: replace(video, masked_frames=0, masks_checksum="x"))).masked
