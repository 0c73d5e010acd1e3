import numpy as np
import pytest

from fbm.data.clips import ClipDataset
from fbm.data.store.frame_store import FrameStore
from fbm.evaluation.bias.clips import VersionedClips
from fbm.runs.bias import VERSIONS, WITHOUT_MASKS
from tests.tiny import make_store


def made_of(root, seed: int = 0) -> VersionedClips:
    store = FrameStore(root)
    train, test = (ClipDataset(store, split, 32, 16, seed=0, random_windows=False) for split in ("train", "test"))
    return VersionedClips(train, test, seed)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("versions") / "store")


@pytest.fixture(scope="module")
def clips(root) -> VersionedClips:
    return made_of(root)


def video(clips: VersionedClips, sample: int):
    return clips.test.videos[clips.test.samples[sample][0]]


def test_partners_are_of_the_same_class_and_another_group_or_of_another_class(clips):
    assert clips.samples == list(range(12))
    assert clips.possible == list(VERSIONS)
    for sample in clips.samples:
        same, other = (video(clips, clips.partners[name][sample]) for name in ("swap_same", "swap_other"))
        own = video(clips, sample)
        assert (same.action == own.action, same.group == own.group) == (True, False)
        assert other.action != own.action


def test_pairs_follow_from_the_seed(root, clips):
    assert made_of(root).partners == clips.partners
    assert made_of(root, seed=1).partners != clips.partners


def test_a_lone_clip_of_its_class_has_no_background_of_its_class(root):
    clips = made_of(root)
    clips.samples = [0, 4, 5]
    assert clips.partners["swap_same"][0] is None
    assert clips.made("swap_same", [0, 4, 5]) == [4, 5]
    assert clips.made("swap_other", [0, 4, 5]) == [0, 4, 5]


@pytest.mark.parametrize("name", VERSIONS)
def test_every_version_is_the_same_in_any_batch(clips, name):
    both = clips.batch(name, [3, 7])
    alone = clips.batch(name, [7])
    assert both.frames.shape == (2, 16, 32, 32, 3)
    assert (both.frames[1] == alone.frames[0]).all()
    assert both.label.tolist() == [0, 1]


def test_what_is_kept_of_the_foreground_and_of_the_background(clips):
    original = clips.batch("original", [0])
    inside = original.masks[0].bool().numpy()
    frames = original.frames[0].numpy()
    for name in ("foreground", "swap_same", "swap_other", "stripes"):
        made = clips.batch(name, [0]).frames[0].numpy()
        assert (made[inside] == frames[inside]).all()
        assert (made[~inside] != frames[~inside]).mean() > 0.5
    background = clips.batch("background", [0]).frames[0].numpy()
    assert background[inside].max() < frames[inside].max()
    assert (background[:, :4] == frames[:, :4]).all()
    assert (clips.batch("reversed", [0]).frames[0].numpy() == frames[::-1]).all()
    swapped, partner = clips.batch("swap_other", [0]), clips.partners["swap_other"][0]
    outside = clips.batch("background", [partner]).frames[0].numpy()
    assert (swapped.frames[0].numpy()[~inside] == outside[~inside]).all()


def test_clips_without_foreground_in_some_frame_are_left_out(root, monkeypatch):
    masks = FrameStore.masks

    def one_is_empty(self, name, frames):
        found = masks(self, name, frames)
        if name.endswith("v_Bounce_g01_c01"):
            found[3] = 0
        return found

    monkeypatch.setattr(FrameStore, "masks", one_is_empty)
    assert made_of(root).samples == list(range(1, 12))


def test_without_masks_time_alone_is_changed(tmp_path):
    clips = made_of(make_store(tmp_path / "store", masks=False))
    assert clips.samples == list(range(12))
    assert clips.possible == list(WITHOUT_MASKS)


def test_the_colour_is_the_mean_of_training(clips):
    frames = np.stack([clips.train.store.frames(v.name, 8, 24) for v in clips.train.videos])
    assert np.abs(clips.colour - frames.mean((0, 1, 2, 3))).max() <= 1
