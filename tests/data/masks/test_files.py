import os

import cv2
import numpy as np
import pytest

from fbm.data.datasets.ucf101 import UCF101
from fbm.data.masks.files import FileMasks
from fbm.data.masks.source import DecodedVideo, MaskError
from fbm.data.store.frame_store import FrameStore
from fbm.data.store.preparation import Preparation
from fbm.data.store.prepare import prepare
from fbm.utils.errors import UserError

NAME = "Bounce/v_Bounce_g01_c01"
VIDEO = DecodedVideo(NAME, np.zeros((3, 16, 16, 3), np.uint8), 40, 30)


def circles(frames=3, height=30, width=40):
    masks = np.zeros((frames, height, width), np.uint8)
    for time, mask in enumerate(masks):
        cv2.circle(mask, (width // 2 + time, height // 2), height // 4, 255, -1)
    return masks


def write_pictures(folder, masks):
    (folder / NAME).mkdir(parents=True)
    for number, mask in enumerate(masks):
        cv2.imwrite(str(folder / NAME / f"{number:05}.png"), mask)


def write_archive(folder, **arrays):
    (folder / NAME).parent.mkdir(parents=True)
    np.savez(folder / f"{NAME}.npz", **arrays)


def track_of(folder):
    track = FileMasks(None, folder).masks_for(NAME)
    assert track is not None
    return track


def drawn(folder):
    track = track_of(folder)
    assert track.validate(3, 40, 30) is None
    return track.compute(VIDEO)


def test_pictures_and_archives_of_the_same_masks_are_the_same(tmp_path):
    masks = circles()
    write_pictures(tmp_path / "png", masks)
    write_archive(tmp_path / "npz", masks=masks > 0)
    write_archive(tmp_path / "packed", mask=np.packbits(masks > 0, axis=-1), shape=np.array(masks.shape))
    found = drawn(tmp_path / "png")
    assert found.dtype == bool
    assert found.shape == (3, 16, 16)
    assert np.abs(found.mean() - (masks > 0).mean()) < 0.02
    assert np.array_equal(found, drawn(tmp_path / "npz"))
    assert np.array_equal(found, drawn(tmp_path / "packed"))


def test_masks_of_the_stores_size_are_taken_as_they_are(tmp_path):
    masks = circles(3, 16, 16)
    write_archive(tmp_path, anything=masks)
    assert np.array_equal(drawn(tmp_path), masks > 0)


def test_label_pictures_do(tmp_path):
    """1, 2 and so on are objects: 0 alone is background."""
    write_pictures(tmp_path, circles() // 255 * 2)
    assert drawn(tmp_path).any((1, 2)).all()


def test_a_video_without_masks_has_none(tmp_path):
    assert FileMasks(tmp_path, tmp_path).masks_for(NAME) is None


def test_the_data_sets_own_folder_is_looked_in(demo_root):
    track = FileMasks(demo_root).masks_for("Spin/v_Spin_g02_c01")
    assert track is not None
    assert track.fingerprint


def test_the_fingerprint_changes_with_the_files(tmp_path):
    write_pictures(tmp_path, circles())
    before = track_of(tmp_path).fingerprint
    os.utime(tmp_path / NAME / "00001.png", (1, 1))
    assert track_of(tmp_path).fingerprint != before


def test_no_folder_is_one_line(tmp_path):
    with pytest.raises(UserError, match=r"no folder of masks at .*nowhere.*masks.source.folder=PATH"):
        FileMasks(None, tmp_path / "nowhere").masks_for(NAME)


def colour(folder):
    write_pictures(folder, np.repeat(circles()[..., None], 3, axis=-1))


def damaged(folder):
    write_pictures(folder, circles())
    (folder / NAME / "00000.png").write_bytes(b"no picture")


def cut(folder):
    write_pictures(folder, circles())
    path = folder / NAME / "00002.png"
    path.write_bytes(path.read_bytes()[:60])


def broken(folder):
    write_archive(folder, masks=circles())
    (folder / f"{NAME}.npz").write_bytes(b"PK nonsense")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda f: write_pictures(f, circles(2)), r"v_Bounce_g01_c01 holds 2 PNG files, the video has 3 frames"),
        (lambda f: write_pictures(f, circles(3, 20, 20)), r"00000\.png holds masks of 20 x 20.*be 40 x 30 or 16 x 16"),
        (colour, r"00000\.png is a picture with several channels \(RGB\)"),
        (damaged, r"00000\.png cannot be read as a PNG"),
        (cut, r"00002\.png cannot be read as a PNG"),
        (broken, r"c01\.npz cannot be read as npz"),
        (lambda f: write_archive(f, masks=circles(4)), r"c01\.npz holds 4 masks, the video has 3 frames"),
        (lambda f: write_archive(f, masks=circles(3, 20, 20)), r"c01\.npz holds masks of 20 x 20"),
        (lambda f: write_archive(f, masks=np.zeros((3, 16, 16))), r"c01\.npz holds float64 of shape \(3, 16, 16\)"),
        (lambda f: write_archive(f, masks=np.zeros((3, 16), int)), r"it should be bool or integers T H W"),
        (lambda f: write_archive(f, a=circles(), b=circles()), r"c01\.npz holds 2 arrays \(a, b\)"),
        (lambda f: write_archive(f, a=np.array([{}])), r"c01\.npz cannot be read as npz"),
        (lambda f: write_archive(f, mask=circles(), shape=np.array([])), r"c01\.npz cannot be read as npz"),
    ],
)
def test_a_misfit_names_the_file(tmp_path, make, said):
    make(tmp_path)
    track = track_of(tmp_path)
    with pytest.raises(MaskError, match=said) as caught:
        track.compute(VIDEO)
    assert "\n" not in str(caught.value)


def test_two_kinds_of_masks_are_refused(tmp_path):
    write_archive(tmp_path, masks=circles())
    (tmp_path / NAME).mkdir()
    assert "two kinds of masks" in str(track_of(tmp_path).validate(3, 40, 30))


def test_prepare_takes_the_demo_datas_true_masks(small_root, demo_root, tmp_path):
    store = tmp_path / "store"
    source = FileMasks(small_root.path, demo_root / "masks")
    done = prepare(Preparation(UCF101(small_root.path), source, "files", store, 32, workers=1, timeout=600))
    assert [video.status for video in done.manifest.videos] == ["ok"] * 4
    assert all(video.masked_frames == video.frames for video in done.manifest.videos)
    assert FrameStore(store).manifest.masks == "files"
    assert (
        prepare(Preparation(UCF101(small_root.path), source, "files", store, 32, workers=1, timeout=600)).worked_on == 0
    )
