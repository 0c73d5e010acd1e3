from pathlib import Path

import cv2
import numpy as np
import pytest

from fbm.data.masks.files import shrunk
from fbm.data.masks.unsupervised.segment import PIECE_PIXELS, pieces, scaled, segment, working_size
from fbm.data.masks.unsupervised.settings import Settings
from tests.data.masks.moving import before_and_behind, boat_on_water, iou, moving_square, read, texture

pytestmark = pytest.mark.slow


def test_what_moves_is_found_though_the_camera_moves_too():
    frames, true = moving_square()
    masks, sure = segment(frames)
    assert masks.dtype == bool
    assert masks.shape == true.shape
    assert iou(masks, true) > 0.7
    assert sure > 0.3


def test_a_square_that_the_camera_follows_is_the_foreground_not_the_scene():
    frames, true = moving_square(step=0, pan=3)
    assert iou(segment(frames)[0], true) > 0.6


@pytest.mark.parametrize("noise", [0, 4])
def test_where_nothing_moves_every_mask_is_empty(noise):
    still = np.repeat(texture(64, 64, 0, (120, 120, 120))[None], 8, axis=0).astype(int)
    still += np.random.default_rng(0).normal(0, noise, still.shape).astype(int)
    masks, sure = segment(np.clip(still, 0, 255).astype(np.uint8))
    assert not masks.any()
    assert sure < 0.05


def test_a_camera_alone_makes_no_foreground():
    frames, _ = moving_square(side=0, step=0, pan=2)
    masks, sure = segment(frames)
    assert masks.mean() < 0.01
    assert sure < 0.05


def test_a_boat_on_water_is_found_and_the_water_is_not():
    frames, true = boat_on_water()
    assert iou(segment(frames)[0], true) > 0.6


def test_what_passes_faster_because_it_is_near_is_background():
    frames, true = before_and_behind()
    assert iou(segment(frames)[0], true) > 0.6


def test_what_rests_for_half_of_the_video_is_still_found():
    frames, true = moving_square(frames=10, pan=0)
    frames, true = np.concatenate([frames, frames[-1:].repeat(10, 0)]), np.concatenate([true, true[-1:].repeat(10, 0)])
    masks, _ = segment(frames)
    assert iou(masks[11:], true[11:]) > 0.6


def test_random_frames_are_not_sure():
    frames = np.random.default_rng(0).integers(0, 255, (8, 96, 96, 3), dtype=np.uint8)
    assert segment(frames)[1] < 0.05


def test_the_same_video_has_the_same_masks():
    frames, _ = moving_square(frames=5)
    assert np.array_equal(segment(frames)[0], segment(frames.copy())[0])


@pytest.mark.parametrize(
    "shape", [(1, 64, 64), (2, 64, 64), (3, 64, 64), (4, 7, 5), (3, 1, 40), (3, 16, 16), (2, 90, 33), (4, 30, 200)]
)
def test_any_number_of_frames_of_any_size_passes(shape):
    frames = np.random.default_rng(0).integers(0, 255, (*shape, 3), dtype=np.uint8)
    masks, sure = segment(frames)
    assert masks.shape == shape
    assert 0 <= sure <= 1
    assert shape[0] > 1 or not masks.any()


def test_no_frames_no_masks():
    masks, sure = segment(np.zeros((0, 32, 32, 3), np.uint8))
    assert masks.shape == (0, 32, 32)
    assert sure == 0


def test_large_frames_are_worked_at_a_smaller_size():
    frames, true = moving_square(frames=6)
    large = np.stack([cv2.resize(frame, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC) for frame in frames])
    wide = true.repeat(2, 1).repeat(2, 2)
    assert working_size(480, 854, Settings()) == (180, 320)
    assert iou(segment(large, Settings(area=96 * 128))[0], wide) > 0.7


def test_frames_may_be_memory_mapped(tmp_path):
    frames, _ = moving_square(frames=4)
    np.save(tmp_path / "frames.npy", frames)
    assert np.array_equal(segment(np.load(tmp_path / "frames.npy", mmap_mode="r"))[0], segment(frames)[0])


@pytest.mark.parametrize("count", [0, 1, 2, 599, 600, 601, 5000])
@pytest.mark.parametrize("size", [(128, 128), (180, 320)])
def test_pieces_are_equal_and_bounded_and_cover_the_video(count, size):
    found = pieces(count, size)
    assert sum(found) == count
    assert max(found, default=0) <= min(600, PIECE_PIXELS // (size[0] * size[1]))
    assert not found or max(found) - min(found) <= 1


def test_a_long_video_is_worked_piece_by_piece(monkeypatch):
    monkeypatch.setattr("fbm.data.masks.unsupervised.segment.PIECE_FRAMES", 6)
    frames, true = moving_square()
    masks, sure = segment(frames)
    first, second = segment(frames[:6]), segment(frames[6:])
    assert np.array_equal(masks, np.concatenate([first[0], second[0]]))
    assert np.isclose(sure, (first[1] + second[1]) / 2)
    assert iou(masks, true) > 0.6


def test_a_real_car_is_found(real_data):
    frames, true = sequence(real_data, "car-shadow", 12)
    assert iou(segment(frames)[0], true) > 0.65


def test_smoke_is_no_object_in_small_frames_either(real_data):
    """With the tolerance of large frames, in pixels, the flow of smoke would be trusted in small ones."""
    frames, true = sequence(real_data, "drift-chicane", 52)
    small = np.stack([scaled(frame, (128, 128)) for frame in frames])
    assert iou(segment(small)[0], shrunk(true, 128)) > 0.6


def sequence(real_data: Path, name: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first frames of a DAVIS sequence, and their masks."""

    def pictures(kind: str) -> np.ndarray:
        return np.stack([read(path) for path in sorted((real_data / "davis" / kind / "480p" / name).iterdir())[:count]])

    return pictures("JPEGImages"), pictures("Annotations") > 127
