"""A store in which some training and validation videos have no label: all train, the others alone are classified."""

import csv
import json
from collections import Counter
from dataclasses import replace

import pytest

from fbm.data.clips import ClipDataset, SampleKey
from fbm.data.datamodule import ClipDataModule
from fbm.data.datasets.ucf101 import UCF101
from fbm.data.store.frame_store import FrameStore
from fbm.data.store.manifest import MANIFEST, read_manifest
from fbm.training.callbacks.probes import KNN, LINEAR
from fbm.utils.errors import UserError
from tests.tiny import CLASSES, SIZE, fbm, make_store, settings


def without_labels(store, chosen):
    """The store, with the chosen videos' labels taken away."""
    manifest = read_manifest(store)
    rows = [
        replace(video, action="", group=100 + place) if chosen(video) else video
        for place, video in enumerate(manifest.videos)
    ]
    (store / MANIFEST).write_text(replace(manifest, videos=rows).to_json())
    return store


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Of 18 training and 6 validation clips the half is labelled, and all 12 test clips."""
    made = make_store(tmp_path_factory.mktemp("half") / "store")
    return without_labels(made, lambda video: video.split != "test" and video.name.endswith("_c02"))


def module(store, fraction=1.0):
    return ClipDataModule(store, SIZE, "boxes", UCF101(None), False, 32, 16, fraction, 4, 0, 0)


def test_pretraining_takes_all_and_classification_what_is_labelled(store):
    data = module(store)
    assert data.classes == list(CLASSES)
    assert data.samples == {"train": 18, "val": 6, "test": 12}
    assert Counter(data.clips["train"].labels) == {-1: 9, 0: 3, 1: 3, 2: 3}
    data.leave_out_unlabelled()
    assert data.samples == {"train": 9, "val": 3, "test": 12}
    assert data.steps_per_epoch == 2
    batch = data.clips["train"].batch([SampleKey(0, sample) for sample in range(9)])
    assert sorted(batch.label.tolist()) == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert batch.video.tolist() == list(range(9))


def test_a_label_fraction_is_of_the_labels(store):
    taken = module(store, 0.34).clips["train"]
    assert Counter(taken.labels) == {-1: 9, 0: 1, 1: 1, 2: 1}
    assert len(taken.labelled) == 3


def test_where_all_are_labelled_nothing_is_left_out(tmp_path):
    taken = ClipDataset(FrameStore(make_store(tmp_path / "store")), "train", 32, 16, 0)
    assert taken.labelled is taken


def test_a_class_that_is_left_out_has_no_label_either(tmp_path):
    opened = FrameStore(make_store(tmp_path / "store"))
    some = ClipDataset(opened, "test", 32, 16, 0, classes=opened.manifest.classes[1:])
    assert Counter(some.labels) == {-1: 4, 0: 4, 1: 4}
    assert Counter(some.labelled.labels) == {0: 4, 1: 4}


def test_without_labels_nothing_is_classified(tmp_path):
    bare = without_labels(make_store(tmp_path / "store"), lambda video: video.split == "train")
    with pytest.raises(UserError, match="holds no training video with a label, which task=classify needs"):
        module(bare).leave_out_unlabelled()


def test_runs_measure_what_is_labelled(store, tmp_path, monkeypatch):
    """Online probes while pretraining, and a classification."""
    monkeypatch.chdir(tmp_path)
    small = settings(store, "callbacks.gallery=null")
    assert fbm("train", *small, "task=autoencode", "callbacks.probes.every=1", "name=pretrained") == 0
    with (tmp_path / "outputs/demo/pretrained/metrics.csv").open() as file:
        row = [row for row in csv.DictReader(file) if row.get(KNN)][-1]
    assert {round(float(row[name]) * 3, 3) % 1 for name in (KNN, LINEAR)} == {0}  # of three clips
    assert fbm("train", *small, "task=classify", "test=true", "name=classified") == 0
    summary = json.loads((tmp_path / "outputs/demo/classified/summary.json").read_text())
    assert summary["samples"] == {"train": 9, "val": 3, "test": 12}
