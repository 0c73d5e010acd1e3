from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from scipy.ndimage import find_objects, label

from fbm.data.clips import ClipDataset, SampleKey
from fbm.data.store.frame_store import FrameStore
from fbm.tasks.task import Pictures
from fbm.training.callbacks import Gallery
from fbm.training.callbacks.gallery import LEAST, TITLE, draw, fixed_clips
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


def frames_in(picture: Image.Image) -> list[list[np.ndarray]]:
    """The frames of a picture, which are what is not white below the titles: rows from above, each from the left."""
    below = np.asarray(picture)[TITLE:]
    rows: dict[int, dict[int, np.ndarray]] = {}
    for down, along in find_objects(label((below != 255).any(2))[0]):
        rows.setdefault(down.start, {})[along.start] = below[down, along]
    return [[frame for _, frame in sorted(row.items())] for _, row in sorted(rows.items())]


@pytest.mark.parametrize("examples", [1, 3, 4, 6])
def test_reconstruction_hangs_above_the_truth(examples, monkeypatch):
    titles: list[tuple[float, str]] = []
    write = ImageDraw.ImageDraw.multiline_text

    def noted(pen: ImageDraw.ImageDraw, place: tuple[float, float], text: str, *more: Any, **others: Any) -> None:
        titles.append((place[0], text))
        write(pen, place, text, *more, **others)

    monkeypatch.setattr(ImageDraw.ImageDraw, "multiline_text", noted)
    frames = torch.arange(examples * 2.0).div(examples * 2).view(examples, 2, 1, 1, 1).expand(-1, -1, 3, 4, 4)
    picture = draw(Pictures(("one thing", "other thing"), frames, -frames))
    shown, across = frames_in(picture), min(4, examples)
    assert sum(map(len, shown)) == examples * 4
    for number in range(examples):
        for row, sign in ((0, 1), (1, -1)):
            for column in range(2):
                pixels = shown[number // across * 2 + row][number % across * 2 + column]
                wanted = (1 + sign * (number * 2 + column) / (examples * 2)) / 2
                assert pixels.shape == (LEAST, LEAST, 3)
                np.testing.assert_allclose(pixels / 255, wanted, atol=0.5 / 255)
    assert [text for _, text in titles] == ["one\nthing", "other\nthing"] * across
    assert [x for x, _ in titles] == sorted(x for x, _ in titles)
    above = np.asarray(picture)[:TITLE]
    for x, _ in titles:
        assert (above[:, int(x) - LEAST // 2 : int(x) + LEAST // 2] < 128).any()


def test_small_frames_are_drawn_larger_and_large_ones_as_they_are():
    small, large = torch.zeros(1, 1, 3, 4, 8), torch.rand(1, 1, 3, 128, 128) * 1.9 - 1
    ((above,), (below,)) = frames_in(draw(Pictures(("a",), small, small)))
    assert above.shape == below.shape == (48, 96, 3)
    ((exact,), _) = frames_in(draw(Pictures(("a",), large, large)))
    np.testing.assert_allclose(exact.transpose(2, 0, 1) / 127.5 - 1, large[0, 0], atol=0.5 / 127)


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
    picture = draw(Pictures(tuple(map(str, range(16))), frames, frames))
    assert [len(row) for row in frames_in(picture)] == [16] * 6
    assert picture.height > picture.width / 4


def test_a_schedule_of_nothing_is_refused(tmp_path):
    with pytest.raises(UserError, match="every=0"):
        Gallery(tmp_path, every=0, examples=2)
