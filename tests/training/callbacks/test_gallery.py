from types import SimpleNamespace

import numpy as np
import pytest
import torch

from fbm.data.clips import ClipDataset, SampleKey
from fbm.data.store.frame_store import FrameStore
from fbm.tasks.task import Pictures
from fbm.training.callbacks import Gallery
from fbm.training.callbacks.gallery import draw, fixed_clips
from fbm.utils.errors import UserError
from tests.tiny import make_store


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> ClipDataset:
    store = FrameStore(make_store(tmp_path_factory.mktemp("gallery")))
    return ClipDataset(store, "test", 32, 16, seed=3)


def test_clips_are_spread_over_the_split_and_always_the_same(clips):
    batch = fixed_clips(clips, 4)
    assert batch.sample.tolist() == [0, 4, 7, 11]
    assert batch.frames.shape == (4, 16, 32, 32, 3)
    assert torch.equal(batch.frames, fixed_clips(clips, 4).frames)
    assert torch.equal(batch.frames[3], clips[SampleKey(0, 11)].frames)


def test_no_more_clips_than_there_are(clips):
    assert fixed_clips(clips, 100).sample.tolist() == list(range(12))
    assert fixed_clips(clips, 1).sample.tolist() == [0]


@pytest.mark.parametrize("examples", [1, 3, 4, 6])
def test_reconstruction_hangs_above_the_truth(examples):
    frames = torch.arange(examples * 2.0).div(examples * 2).view(examples, 2, 1, 1, 1).expand(-1, -1, 3, 4, 4)
    figure = draw(Pictures(("one thing", "other thing"), frames, -frames))
    axes = [axis for block in figure.subfigs for axis in block.axes]
    shown = [axis.images[0].get_array() for axis in axes if axis.images]
    assert len(shown) == examples * 4
    for number in range(examples):
        for row, sign in ((0, 1), (1, -1)):
            for column in range(2):
                pixels = np.asarray(shown[number * 4 + row * 2 + column])
                wanted = (1 + sign * (number * 2 + column) / (examples * 2)) / 2
                assert pixels.shape == (4, 4, 3)
                np.testing.assert_allclose(pixels, wanted, atol=1e-6)
    assert [axis.get_title() for axis in axes if axis.get_title()] == ["one\nthing", "other\nthing"] * min(4, examples)


@pytest.mark.parametrize(
    ("epoch", "stopped", "drawn"),
    [(0, False, True), (3, False, False), (5, False, True), (7, True, True), (11, False, True)],
)
def test_pictures_on_a_schedule_and_of_the_last_epoch(tmp_path, monkeypatch, epoch, stopped, drawn):
    names: list[str] = []
    monkeypatch.setattr(Gallery, "_draw", lambda self, trainer, task, split, name: names.append(f"{split} {name}"))
    trainer = SimpleNamespace(current_epoch=epoch, max_epochs=12, should_stop=stopped)
    Gallery(tmp_path, every=5, examples=2).on_train_epoch_end(trainer, None)  # type: ignore[arg-type]
    assert names == ([f"val epoch-{epoch:03}.png"] if drawn else [])


def test_a_long_strip_has_a_row_of_its_own():
    frames = torch.zeros(3, 16, 3, 4, 4)
    figure = draw(Pictures(tuple(map(str, range(16))), frames, frames))
    assert [len(block.axes) for block in figure.subfigs] == [32] * 3
    assert figure.get_figheight() > figure.get_figwidth() / 4


def test_a_schedule_of_nothing_is_refused(tmp_path):
    with pytest.raises(UserError, match="every=0"):
        Gallery(tmp_path, every=0, examples=2)
