"""Clips of every N-th frame of a video (`data.frame_interval`)."""

import numpy as np
import pytest

from fbm.data.batch import Windows
from fbm.data.clips import ClipDataset, SampleKey, clip_settings, draw_window
from fbm.data.store.frame_store import FrameStore
from fbm.data.views import ViewDataset
from fbm.evaluation.bias.clips import VersionedClips
from fbm.utils.errors import UserError
from tests.data.test_datamodule import make
from tests.tiny import FRAMES, make_store

CLIP, INTERVAL = 8, 3
SPAN = 22


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> FrameStore:
    return FrameStore(make_store(tmp_path_factory.mktemp("interval") / "store"))


def clips(store: FrameStore, split: str, **options) -> ClipDataset:
    return ClipDataset(store, split, 32, CLIP, seed=1, frame_interval=INTERVAL, **options)


def every(store: FrameStore, name: str, start: int) -> np.ndarray:
    return store.frames(name, start, start + SPAN)[::INTERVAL]


def test_the_middle_of_a_chunk_is_that_of_the_frames_a_clip_spans(store):
    taken = clips(store, "test")
    assert (taken.span, taken.slack) == (SPAN, 10)
    for sample in (0, 7):
        found, name = taken[SampleKey(4, sample)], taken.videos[sample].name
        assert found.frames.shape[0] == CLIP
        assert (found.frames.numpy() == every(store, name, 5)).all()
        assert (found.masks.numpy() == store.masks(name, slice(5, 5 + SPAN, INTERVAL))).all()


@pytest.mark.parametrize("masked", [None, (0, -1)])
def test_training_draws_from_all_places_where_the_span_fits(store, masked):
    train = clips(store, "train")
    train.mask_frames = masked
    starts, flips = set(), set()
    for epoch in range(4):
        for sample, (number, chunk) in enumerate(train.samples):
            window = draw_window(1, SampleKey(epoch, sample), 10)
            starts.add(window.start)
            flips.add((window.reversed, window.hflipped))
            name, start = train.videos[number].name, chunk + window.start
            frames, masks = every(store, name, start), store.masks(name, slice(start, start + SPAN, INTERVAL))
            if window.reversed:
                frames, masks = frames[::-1], masks[::-1]
            if window.hflipped:
                frames, masks = frames[:, :, ::-1], masks[:, :, ::-1]
            found = train[SampleKey(epoch, sample)]
            assert (found.frames.numpy() == frames).all()
            assert (found.masks.numpy() == (masks if masked is None else masks[list(masked)])).all()
    assert starts == set(range(11))
    assert len(flips) == 4


def test_test_views_and_several_windows_span_as_many_frames(store):
    views = ViewDataset(store, "test", CLIP, 0, 3, store.manifest.classes, INTERVAL)
    assert views.samples[:3] == [(0, 0), (0, 6), (0, FRAMES - SPAN)]
    last = views.batch([SampleKey(0, 2)])
    assert (last.frames[0].numpy() == every(store, views.videos[0].name, FRAMES - SPAN)).all()
    two = clips(store, "train")
    two.windows = Windows(2)
    found = two.batch([SampleKey(0, sample) for sample in range(len(two))])
    assert found.frames.shape[:3] == (len(two), 2, CLIP)
    for frames, (number, _) in zip(found.frames.numpy(), two.samples, strict=True):
        places = [every(store, two.videos[number].name, start) for start in range(FRAMES - SPAN + 1)]
        for window in frames:
            assert any(np.array_equal(window, one) for place in places for one in (place, place[:, :, ::-1]))


def test_what_classifiers_look_at_is_cut_likewise(store):
    train, test = (clips(store, split, random_windows=False) for split in ("train", "test"))
    versions = VersionedClips(train, test, 0)
    name = versions.test.videos[0].name
    assert (versions.batch("original", [0]).frames[0].numpy() == every(store, name, 5)).all()
    assert (versions._masks([0])[0] == store.masks(name, slice(5, 5 + SPAN, INTERVAL))).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"frame_interval": 3},
            "data.clip_frames=16 and data.frame_interval=3 .* the 46 frames .* data.chunk_frames=32$",
        ),
        ({"frame_interval": 0}, "data.frame_interval=0 must be at least 1"),
    ],
)
def test_clips_that_span_more_than_a_chunk_are_refused(demo_store, changes, message):
    assert make(demo_store, frame_interval=2).clips["test"].slack == 1
    with pytest.raises(UserError, match=message):
        make(demo_store, **changes)


def test_runs_of_earlier_versions_took_every_frame():
    assert clip_settings({"chunk_frames": 32, "clip_frames": 16, "size": 64}) == {
        "chunk_frames": 32,
        "clip_frames": 16,
        "frame_interval": 1,
    }
