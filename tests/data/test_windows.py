"""Several clips of one video in a sample."""

from collections import Counter

import numpy as np
import pytest
import torch

from fbm.data.batch import Windows
from fbm.data.clips import ClipDataset, SampleKey
from fbm.data.datamodule import ClipDataModule
from fbm.data.datasets.ucf101 import UCF101
from fbm.data.store.frame_store import FrameStore
from fbm.data.windows import Window, draw_windows, fixed_windows
from fbm.utils.errors import UserError
from tests.tiny import FRAMES, SIZE

CLIP = 8
ANYWHERE, ORDERED = Windows(2), Windows(3, interval=2)


@pytest.mark.parametrize("windows", [ANYWHERE, ORDERED])
def test_what_is_drawn_depends_on_seed_epoch_and_sample_alone(windows):
    keys = [(seed, epoch, sample) for seed in range(2) for epoch in range(4) for sample in range(30)]
    drawn = {key: draw_windows(windows, CLIP, 50, key) for key in keys}
    np.random.seed(5)
    torch.manual_seed(5)
    assert drawn == {key: draw_windows(windows, CLIP, 50, key) for key in reversed(keys)}
    assert len({tuple(found) for found in drawn.values()}) > 50
    assert not any(window.reversed for found in drawn.values() for window in found)


def test_windows_without_an_interval_are_anywhere_and_mirrored_alone():
    drawn = [draw_windows(ANYWHERE, CLIP, 9, (0, 0, sample)) for sample in range(2000)]
    for number in range(2):
        starts = Counter(found[number].start for found in drawn)
        assert set(starts) == set(range(10))
        assert all(140 < count < 260 for count in starts.values())
    assert len(Counter((one.hflipped, other.hflipped) for one, other in drawn)) == 4


def test_windows_with_an_interval_are_in_order_and_mirrored_together():
    drawn = [draw_windows(ORDERED, CLIP, 30, (0, 0, sample)) for sample in range(300)]
    assert {tuple(np.diff([window.start for window in found])) for found in drawn} == {(10, 10)}
    assert {found[0].start for found in drawn} == set(range(11))
    assert {tuple(window.hflipped for window in found) for found in drawn} == {(True,) * 3, (False,) * 3}


@pytest.mark.parametrize(("slack", "starts"), [(20, [0, 10, 20]), (18, [0, 9, 18]), (5, [0, 2, 4]), (2, [0, 1, 2])])
def test_in_short_videos_intervals_shrink_until_windows_overlap(slack, starts):
    """18 is the slack of 16-frame clips in the demo's 34 frames: with 3 clips each shares 7 frames with the next."""
    found = [window.start for window in draw_windows(ORDERED, CLIP, slack, (0, 0, 0))]
    assert [start - found[0] for start in found] == starts


@pytest.mark.parametrize(
    ("windows", "slack", "start", "starts"),
    [
        (ANYWHERE, 25, 12, [12, 25]),  # half a video later
        (ANYWHERE, 25, 20, [20, 7]),  # from its start again
        (Windows(3), 29, 5, [5, 15, 25]),
        (ORDERED, 40, 20, [10, 20, 30]),  # the middle one in the middle of the chunk
        (ORDERED, 40, 3, [0, 10, 20]),
        (ORDERED, 40, 39, [20, 30, 40]),
    ],
)
def test_evaluated_windows_are_fixed(windows, slack, start, starts):
    assert fixed_windows(windows, CLIP, slack, start) == [Window(one, False, False) for one in starts]


def made(store, split: str, windows: Windows | None, masks=None) -> ClipDataset:
    clips = ClipDataset(FrameStore(store), split, 11, CLIP, seed=3)
    clips.windows, clips.mask_frames = windows, masks
    return clips


@pytest.mark.parametrize("windows", [ANYWHERE, ORDERED])
@pytest.mark.parametrize("split", ["train", "test"])
def test_a_sample_holds_the_windows_of_its_video(store, split, windows):
    """All frames and all masks, mirrored together."""
    clips = made(store, split, windows)
    keys = [SampleKey(epoch, sample) for epoch in range(2) for sample in (0, 5)]
    batch = clips.batch(keys)
    assert batch.frames.shape == (4, windows.clips, CLIP, SIZE, SIZE, 3)
    assert batch.masks.shape == (4, windows.clips, CLIP, SIZE, SIZE)
    for key, frames, masks in zip(keys, batch.frames.numpy(), batch.masks.numpy(), strict=True):
        number, chunk = clips.samples[key.sample]
        name, slack = clips.videos[number].name, FRAMES - CLIP
        if split == "train":
            own = draw_windows(windows, CLIP, slack, (3, key.epoch, key.sample))
        else:
            own = fixed_windows(windows, CLIP, slack, chunk + 1)
        for window, clip, clip_masks in zip(own, frames, masks, strict=True):
            true = clips.store.frames(name, window.start, window.start + CLIP)
            true_masks = clips.store.masks(name, slice(window.start, window.start + CLIP))
            side = slice(None, None, -1 if window.hflipped else 1)
            assert (clip == true[:, :, side]).all()
            assert (clip_masks == true_masks[:, :, side]).all()


def test_without_windows_nothing_changes(store):
    one = made(store, "train", None, masks=(0, -1)).batch([SampleKey(1, 4), SampleKey(0, 0)])
    assert one.frames.shape == (2, CLIP, SIZE, SIZE, 3)
    assert one.masks.shape == (2, 2, SIZE, SIZE)
    assert one.frames.is_contiguous()


def test_videos_that_may_be_too_short_are_refused(store):
    data = ClipDataModule(store, SIZE, "boxes", UCF101(None), False, 9, CLIP, 1.0, 4, 0, seed=0)
    data.select_windows(ANYWHERE)
    with pytest.raises(UserError, match=r"3 different windows of data.clip_frames=8 need videos of 10 frames"):
        data.select_windows(ORDERED)
