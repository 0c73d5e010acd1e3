import pickle
from dataclasses import replace

import numpy as np
import pytest

from fbm.data.annotations import Annotation
from fbm.data.masks.boxes import BoxMasks, VideoBoxes, mismatch, rasterise
from fbm.data.masks.source import DecodedVideo, InvalidMasks, MaskError
from fbm.utils.errors import UserError


def draw(*boxes, frames=2, size=8):
    """Masks of a 32 × 16 video: 4 pixels across and 2 down become one."""
    return rasterise(np.array(boxes, np.int64).reshape(-1, 5), frames, 32, 16, size)


def block(rows, columns, size=8):
    mask = np.zeros((size, size), bool)
    mask[rows, columns] = True
    return mask


def test_a_box_is_scaled_by_each_side():
    masks = draw((1, 8, 4, 16, 6))
    assert masks.dtype == bool
    assert masks.shape == (2, 8, 8)
    assert not masks[0].any()
    assert (masks[1] == block(slice(2, 5), slice(2, 6))).all()


def test_corners_go_to_the_nearest_pixel_edge():
    # x: 7/4 = 1.75 -> 2, 17/4 = 4.25 -> 4; y: 3.5 -> 4, 5.5 -> 6 (halves go to even, as numpy rounds)
    assert (draw((0, 7, 7, 10, 4))[0] == block(slice(4, 6), slice(2, 4))).all()


def test_boxes_of_a_frame_are_united():
    masks = draw((0, 0, 0, 8, 4), (0, 4, 2, 8, 4))
    assert (masks[0] == block(slice(0, 2), slice(0, 2)) | block(slice(1, 3), slice(1, 3))).all()


def test_a_box_over_the_edge_is_clipped():
    assert (draw((0, -8, -4, 16, 8))[0] == block(slice(0, 2), slice(0, 2))).all()
    assert (draw((0, 24, 12, 160, 160))[0] == block(slice(6, 8), slice(6, 8))).all()
    assert draw((0, -100, -100, 1000, 1000))[0].all()


@pytest.mark.parametrize(
    ("box", "row", "column"),
    [
        ((0, 13, 5, 1, 1), 2, 3),
        ((0, 31, 15, 1, 1), 7, 7),  # 31/4 rounds to 8, which is outside
        ((0, 0, 0, 1, 1), 0, 0),
        ((0, -9, -9, 10, 10), 0, 0),  # one pixel of it is inside
    ],
)
def test_a_tiny_box_keeps_one_pixel(box, row, column):
    assert np.argwhere(draw(box)[0]).tolist() == [[row, column]]


def test_frames_without_a_box_are_empty_and_other_frames_are_left_out():
    assert not draw().any()
    assert not draw((2, 0, 0, 32, 16), (-1, 0, 0, 32, 16)).any()


@pytest.mark.parametrize("box", [(0, 32, 0, 5, 5), (0, 0, 16, 5, 5), (0, -5, 0, 5, 5), (0, 0, -9, 5, 5)])
def test_a_box_wholly_outside_draws_nothing(box):
    assert not draw(box).any()


def annotation(*boxes, frames: int | None = 10):
    return Annotation(frames, np.array(boxes, np.int64).reshape(-1, 5))


def test_what_fits():
    assert mismatch(annotation((0, 1, 1, 5, 5), (9, -3, 200, 400, 100)), 10, 320, 240) is None
    assert mismatch(annotation(), 10, 320, 240) is None
    assert mismatch(annotation((9, 1, 1, 5, 5), frames=None), 10, 320, 240) is None


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (annotation(frames=12), "is for 12 frames, the video has 10"),
        (annotation(frames=8), "is for 8 frames, the video has 10"),
        (annotation((10, 1, 1, 5, 5), frames=None), "a box in frame 11, the video has 10"),
        (annotation((-1, 1, 1, 5, 5)), "a box in frame 0, before the first"),
        (annotation((0, 1, 1, 5, 5), (3, 320, 0, 5, 5)), "1 boxes .* outside the 320 x 240 frame, .* in frame 4"),
        (annotation((0, 0, 240, 5, 5)), "outside"),
        (annotation((0, -5, 0, 5, 5)), "outside"),
        (annotation((0, 0, -5, 5, 5)), "outside"),
        (annotation((0, 10, 10, 0, 5)), "empty"),
        (annotation((0, 10, 10, 5, -5)), "empty"),
    ],
)
def test_a_misfit_has_its_reason(wrong, reason):
    video = DecodedVideo("x", np.zeros((10, 8, 8, 3), np.uint8), 320, 240)
    with pytest.raises(MaskError, match=reason):
        VideoBoxes(wrong).compute(video)


@pytest.mark.parametrize(
    ("given", "used", "reason"),
    [
        (annotation((0, 160, 120, 160, 120), (10, 0, 0, 320, 240), frames=11), 1, "is for 11 frames, the video has 10"),
        (annotation((0, 160, 120, 160, 120), frames=9), 1, "is for 9 frames, the video has 10"),
        (annotation((-1, 0, 0, 320, 240), (0, 160, 120, 160, 120)), 1, "a box in frame 0, before the first"),
        (annotation((0, 160, 120, 160, 120), (3, 10, 10, 0, 5)), 1, "1 boxes that are empty or outside"),
        (annotation(frames=9), 0, "is for 9 frames"),
    ],
)
def test_what_fits_is_used_where_that_is_chosen_and_the_rest_is_told(given, used, reason):
    video = DecodedVideo("x", np.zeros((10, 8, 8, 3), np.uint8), 320, 240)
    track = VideoBoxes(given, "leave_out")
    masks = track.compute(video)
    assert masks.sum() == 16 * used
    assert not used or (masks[0] == block(slice(4, 8), slice(4, 8))).all()
    assert track.unused(10, 320, 240).endswith(f"; {used} of its {len(given.boxes)} boxes are used")
    assert reason in track.unused(10, 320, 240)
    hint = "; masks.source.misfits=leave_out uses what fits"
    assert str(VideoBoxes(given).validate(10, 320, 240)).endswith(hint) is bool(used)
    assert track.fingerprint != VideoBoxes(given).fingerprint


def test_where_no_box_fits_the_video_is_refused_all_the_same():
    video = DecodedVideo("x", np.zeros((10, 8, 8, 3), np.uint8), 320, 240)
    with pytest.raises(MaskError, match=r"a box in frame 11, .*; no box of it fits"):
        VideoBoxes(annotation((10, 1, 1, 5, 5), frames=None), "leave_out").compute(video)


def test_objects_that_are_no_persons_are_told():
    given = replace(annotation((0, 1, 1, 5, 5)), others=("BALL", "Person", "BALL"))
    told = "objects of its annotation that are not named PERSON are not used: 2 'BALL', 1 'Person'"
    assert VideoBoxes(given).unused(10, 320, 240) == told
    assert not VideoBoxes(annotation((0, 1, 1, 5, 5))).unused(10, 320, 240)


def test_a_choice_that_there_is_not_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"masks.source.misfits=clip: it should be leave_out or null"):
        BoxMasks(tmp_path, misfits="clip")  # type: ignore[arg-type]


def test_a_track_draws_what_rasterise_does_and_knows_its_content():
    boxes = annotation((0, 80, 60, 160, 120), frames=2)
    video = DecodedVideo("x", np.zeros((2, 8, 8, 3), np.uint8), 320, 240)
    assert (VideoBoxes(boxes).compute(video)[0] == block(slice(2, 6), slice(2, 6))).all()
    moved = annotation((0, 81, 60, 160, 120), frames=2)
    longer = annotation((0, 80, 60, 160, 120), frames=3)
    assert VideoBoxes(boxes).fingerprint == VideoBoxes(annotation((0, 80, 60, 160, 120), frames=2)).fingerprint
    assert len({VideoBoxes(each).fingerprint for each in (boxes, moved, longer)}) == 3


NAME = "Biking/v_Biking_g01_c01"


def save(path):
    path.parent.mkdir(exist_ok=True)
    tube = {"label": 0, "sf": 0, "ef": 1, "boxes": np.array([[1, 2, 3, 4]], np.uint8)}
    path.write_bytes(pickle.dumps({NAME: {"numf": 2, "label": 0, "annotations": [tube]}}))
    return path


@pytest.mark.parametrize("given", [None, "annotations", "annotations/any.pkl"])
def test_a_pickle_is_found_in_the_root_in_a_folder_and_by_name(tmp_path, given):
    save(tmp_path / "annotations" / "any.pkl")
    source = BoxMasks(tmp_path, tmp_path / given if given else None)
    track = source.masks_for(NAME)
    assert isinstance(track, VideoBoxes)
    assert track.annotation.boxes.tolist() == [[0, 1, 2, 3, 4]]
    assert source.masks_for("Biking/v_Biking_g01_c02") is None


def test_a_folder_of_xgtf_files_is_read_one_by_one_and_a_bad_one_concerns_its_video_only(demo_root, tmp_path):
    source = BoxMasks(demo_root)
    assert isinstance(source.masks_for("Bounce/v_Bounce_g01_c01"), VideoBoxes)
    assert source.masks_for("Bounce/v_Bounce_g77_c01") is None
    (tmp_path / "Biking").mkdir()
    (tmp_path / f"{NAME}.xgtf").write_text("<viper>")
    track = BoxMasks(None, tmp_path).masks_for(NAME)
    assert isinstance(track, InvalidMasks)
    assert "not readable XML" in track.reason


def test_no_annotations_are_no_error_unless_they_were_named(tmp_path):
    assert BoxMasks(tmp_path).masks_for(NAME) is None
    with pytest.raises(UserError, match=r"data.annotations=.*nowhere: no such file or folder"):
        BoxMasks(tmp_path, tmp_path / "nowhere").masks_for(NAME)


def test_a_damaged_pickle_and_a_choice_of_pickles_are_refused(tmp_path):
    cut = save(tmp_path / "annotations" / "a.pkl")
    cut.write_bytes(cut.read_bytes()[:50])
    with pytest.raises(UserError, match=r"a.pkl refused"):
        BoxMasks(tmp_path).masks_for(NAME)
    save(tmp_path / "annotations" / "b.pkl")
    with pytest.raises(UserError, match=r"holds 2 pickles: name one"):
        BoxMasks(tmp_path).masks_for(NAME)
