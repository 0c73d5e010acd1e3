import json
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import av
import numpy as np
import pytest

from fbm.data.decoding.pyav import decode as frames
from fbm.data.demo import CLASSES, FACTORS, MARKER, OBJECTS, SCENES, make_demo
from fbm.data.demo.render import render_group
from fbm.data.demo.settings import Group, Settings, draw_group, draw_groups
from fbm.data.demo.textures import APART, draw_palettes
from fbm.data.demo.writer import held_out, tight_box, viper_xml
from fbm.utils.errors import UserError

pytestmark = pytest.mark.slow

TINY = {"groups": 2, "test_groups": 1, "clips": 1, "frames": 8}
DATA = "{http://lamp.cfar.umd.edu/viperdata#}"
VIPER = "{http://lamp.cfar.umd.edu/viper#}"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("demo") / "set"
    make_demo(root, **TINY, workers=1)
    return root


@pytest.fixture(scope="module")
def videos(root):
    return json.loads((root / FACTORS).read_text())["videos"]


def settings(**changes) -> Settings:
    return Settings(
        **{
            "seed": 0,
            "groups": 4,
            "test_groups": 1,
            "clips": 1,
            "frames": 40,
            "object_strength": 0.5,
            "scene_strength": 0.5,
            **changes,
        }
    )


def lines(path: Path) -> list[str]:
    text = path.read_bytes().decode()
    assert text.endswith("\r\n")
    assert text.count("\n") == text.count("\r\n")
    return text.split("\r\n")[:-1]


def decode(path: Path) -> tuple[int, int, str]:
    """Frames, keyframes and codec of a file."""
    with av.open(str(path)) as file:
        kinds = [frame.key_frame for frame in file.decode(video=0)]
        context = file.streams.video[0].codec_context
        assert (context.width, context.height, context.codec_tag) == (160, 120, "XVID")
        return len(kinds), sum(kinds), context.name


def read_mask(root: Path, video: str) -> np.ndarray:
    with np.load(root / "masks" / f"{video}.npz") as file:
        frames, height, width = file["shape"]
        mask = np.unpackbits(file["mask"], axis=-1, count=width).astype(bool)
    assert mask.shape == (frames, height, width)
    return mask


def read_boxes(text: str) -> dict[int, tuple[int, ...]]:
    """Boxes by 1-based frame number."""
    spans = ET.fromstring(text).iter(f"{DATA}bbox")
    return {
        frame: tuple(int(span.attrib[side]) for side in ("x", "y", "width", "height"))
        for span in spans
        for first, last in [map(int, span.attrib["framespan"].split(":"))]
        for frame in range(first, last + 1)
    }


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


# --- layout -------------------------------------------------------------------------------------------------


def test_every_listed_video_exists_with_annotation_and_mask(root, videos):
    listed = set()
    for side in ("train", "test"):
        for line in lines(root / "ucfTrainTestlist" / f"{side}list01.txt"):
            listed.add(line.split()[0].removesuffix(".avi"))
    assert listed == set(videos)
    for folder, ending in (("UCF-101", "avi"), ("annotations", "xgtf"), ("masks", "npz")):
        assert {f"{v}.{ending}" for v in videos} == {
            path.relative_to(root / folder).as_posix() for path in (root / folder).rglob("*.*")
        }


def test_labels_are_one_based_and_in_the_training_lists_only(root):
    labels = dict(line.split()[::-1] for line in lines(root / "ucfTrainTestlist" / "classInd.txt"))
    assert list(labels) == list(CLASSES)
    assert list(labels.values()) == ["1", "2", "3", "4", "5", "6"]
    for split in (1, 2, 3):
        for line in lines(root / "ucfTrainTestlist" / f"trainlist0{split}.txt"):
            name, label = line.split(" ")
            assert labels[name.split("/")[0]] == label
        assert all(line.endswith(".avi") for line in lines(root / "ucfTrainTestlist" / f"testlist0{split}.txt"))


def test_no_group_stands_on_both_sides_of_a_split(root):
    for split in (1, 2, 3):
        train, test = (
            {line.split()[0].rsplit("_", 1)[0] for line in lines(path)}
            for path in (root / "ucfTrainTestlist" / f"{side}list0{split}.txt" for side in ("train", "test"))
        )
        assert train
        assert test
        assert not train & test


def test_splits_test_following_blocks_and_wrap_around():
    ten = settings(groups=10, test_groups=4)
    assert [held_out(ten, split) for split in (1, 2, 3)] == [{1, 2, 3, 4}, {5, 6, 7, 8}, {9, 10, 1, 2}]


# --- videos, masks, boxes -----------------------------------------------------------------------------------


def test_videos_are_xvid_with_one_keyframe_and_the_written_length(root, videos):
    for video, facts in videos.items():
        assert decode(root / "UCF-101" / f"{video}.avi") == (facts["frames"], 1, "mpeg4")
        assert TINY["frames"] <= facts["frames"] <= TINY["frames"] + 12


def test_boxes_are_the_tight_boxes_of_the_masks(root, videos):
    for video, facts in videos.items():
        mask = read_mask(root, video)
        boxes = read_boxes((root / "annotations" / f"{video}.xgtf").read_text())
        assert len(mask) == facts["frames"]
        assert sorted(boxes) == list(range(1, len(mask) + 1))
        for number, box in boxes.items():
            x, y, width, height = box
            inside = mask[number - 1][y : y + height, x : x + width]
            assert inside.sum() == mask[number - 1].sum()
            assert inside[0].any()
            assert inside[-1].any()
            assert inside[:, 0].any()
            assert inside[:, -1].any()


def test_xgtf_joins_equal_boxes_and_leaves_gaps_where_there_is_none():
    a, b = (1, 2, 3, 4), (5, 6, 7, 8)
    text = viper_xml("C/v_C_g01_c01", [a, a, None, b, a])
    tree = ET.fromstring(text)
    assert [span.get("framespan") for span in tree.iter(f"{DATA}bbox")] == ["1:2", "4:4", "5:5"]
    assert read_boxes(text) == {1: a, 2: a, 4: b, 5: a}
    assert [thing.get("name") for thing in tree.iter(f"{VIPER}object")] == ["PERSON"]
    numbers = {
        attribute.get("name"): attribute[0].get("value") for file in tree.iter(f"{VIPER}file") for attribute in file
    }
    assert (numbers["NUMFRAMES"], numbers["H-FRAME-SIZE"], numbers["V-FRAME-SIZE"]) == ("5", "160", "120")


def test_an_empty_mask_has_no_box():
    assert tight_box(np.zeros((4, 5), dtype=bool)) is None


def test_the_mask_is_where_the_object_was_drawn():
    one = settings()
    (clip,) = render_group(one, Group(CLASSES.index("Slide"), 1, "wedge", "clouds"))
    (other,) = render_group(one, Group(CLASSES.index("Slide"), 1, "wedge", "bricks"))
    # Without its object a slow scene hardly changes from frame to frame; under the mask it does.
    for each in (clip, other):
        change = np.abs(np.diff(each.frames.astype(int), axis=0)).max(axis=-1)
        touched = each.mask[1:] | each.mask[:-1]
        assert change[touched].mean() > 2 * change[~touched].mean()


# --- determinism --------------------------------------------------------------------------------------------


def test_the_bytes_do_not_depend_on_the_workers(root, tmp_path):
    make_demo(tmp_path / "two", **TINY, workers=2)
    assert contents(tmp_path / "two") == contents(root)


def test_more_groups_and_clips_leave_the_others_as_they_were():
    few, many = settings(frames=4), settings(frames=4, groups=5, clips=2)
    assert draw_groups(few)[0:4] == draw_groups(many)[0:4]
    group = draw_group(few, 2, 3)
    first, again = next(render_group(few, group)), next(render_group(many, group))
    np.testing.assert_array_equal(first.frames, again.frames)


def test_another_seed_gives_other_pictures():
    one, two = (next(render_group(settings(seed=seed, frames=4), Group(0, 1, "ell", "waves"))) for seed in (0, 1))
    assert not np.array_equal(one.frames[0], two.frames[0])


# --- what tells the classes ---------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", ["object", "scene"])
def test_strength_one_ties_each_class_to_one_kind(factor):
    tied = draw_groups(settings(groups=20, **{f"{factor}_strength": 1.0}))
    kinds = {(group.motion, getattr(group, factor)) for group in tied}
    assert kinds == set(zip(CLASSES, OBJECTS if factor == "object" else SCENES, strict=True))


@pytest.mark.parametrize(("strength", "share"), [(0.0, 1 / 6), (0.5, 0.5 + 0.5 / 6)])
def test_the_favourite_comes_as_often_as_its_strength_says(strength, share):
    groups = draw_groups(settings(groups=99, object_strength=strength, scene_strength=strength))
    objects = Counter(group.object == OBJECTS[group.label] for group in groups)[True] / len(groups)
    scenes = Counter(group.scene == SCENES[group.label] for group in groups)[True] / len(groups)
    # 594 draws: three standard deviations are about 0.06
    assert objects == pytest.approx(share, abs=0.06)
    assert scenes == pytest.approx(share, abs=0.06)


def motion_of(mask: np.ndarray) -> str:
    """The class by hand-made rules, from 16 masks alone."""
    centres = np.array([np.argwhere(frame).mean(axis=0) for frame in mask])
    areas = mask.sum(axis=(1, 2))
    if areas.max() > 1.4 * areas.min():
        return "Pulse"
    if overlap(mask, centres) < 0.72:
        return "Spin"
    down, across = np.ptp(centres, axis=0) > 17  # pixels; a shake stays within 13
    return {(True, True): "Orbit", (True, False): "Bounce", (False, True): "Slide"}.get((down, across), "Shake")


def overlap(mask: np.ndarray, centres: np.ndarray) -> float:
    """The least intersection over union of a frame's silhouette with the first one's, centre on centre."""
    moves = np.round(centres[0] - centres).astype(int)
    still = np.stack([np.roll(frame, move, axis=(0, 1)) for frame, move in zip(mask, moves, strict=True)])
    return float(((still & still[0]).sum(axis=(1, 2)) / (still | still[0]).sum(axis=(1, 2))).min())


@pytest.mark.parametrize("motion", CLASSES)
def test_sixteen_frames_tell_the_class_either_way_round(motion):
    some = settings(frames=48)
    for number, kind in enumerate(OBJECTS, start=1):
        mask = next(render_group(some, Group(CLASSES.index(motion), number, kind, "clouds"))).mask
        for start in range(0, len(mask) - 16, 6):
            window = mask[start : start + 16]
            assert motion_of(window) == motion, (kind, start)
            assert motion_of(window[::-1]) == motion, (kind, start)
            assert motion_of(window[:, :, ::-1]) == motion, (kind, start)


def test_object_and_scene_are_alike_in_brightness_and_saturation():
    objects: list[tuple[float, ...]] = []
    scenes: list[tuple[float, ...]] = []
    for group in draw_groups(settings(groups=8, frames=1)):
        clip = next(render_group(settings(frames=1), group))
        pixels, mask = clip.frames[0].astype(float), clip.mask[0]
        for found, where in ((objects, mask), (scenes, ~mask)):
            light, dark = pixels[where].max(axis=-1), pixels[where].min(axis=-1)
            found.append((light.mean(), (1 - dark / np.maximum(light, 1)).mean(), light.std()))
    difference = np.abs(np.mean(objects, axis=0) - np.mean(scenes, axis=0))
    # The two means over 48 groups lie closer than one standard deviation of the groups.
    assert (difference < np.std(scenes, axis=0)).all()


def explained(picture: np.ndarray, blocks: int) -> float:
    """The share of a picture's variance, `64 64 3`, that is left when each of `blocks` x `blocks` parts is its mean."""
    side = len(picture) // blocks
    means = picture.reshape(blocks, side, blocks, side, 3).mean(axis=(1, 3))
    return float(means.var(axis=(0, 1)).mean() / picture.var(axis=(0, 1)).mean())


def test_structure_and_change_are_near_those_of_ucf101(demo_root):
    clips = [np.concatenate(list(frames(path, 64)))[:16] / 127.5 - 1 for path in demo_root.rglob("*.avi")]
    assert len(clips) == 30
    # UCF-101's own figures; a mean over thirty videos strays by about 0.015. Objects stand out from scenes by their
    # size: what is left of structure at that size is less than in real frames, hence the second bound.
    assert np.mean([explained(clip[0], 4) for clip in clips]) == pytest.approx(0.38, abs=0.05)
    assert np.mean([explained(clip[0], 8) for clip in clips]) == pytest.approx(0.68, abs=0.13)
    assert np.mean([np.abs(clip[-1] - clip[0]).mean() for clip in clips]) == pytest.approx(0.10, abs=0.03)


def test_every_object_has_another_mean_colour_than_its_scene():
    rng = np.random.default_rng(0)
    pairs = np.array([draw_palettes(rng) for _ in range(300)])
    scenes, objects = pairs.mean(axis=(2, 3)).swapaxes(0, 1)
    assert np.linalg.norm(scenes - objects, axis=-1).min() > APART
    # Neither is the lighter one as a rule: drawn anew in pairs, both keep the same distribution.
    assert abs(np.mean(scenes.mean(axis=-1) > objects.mean(axis=-1)) - 0.5) < 0.09


# --- the same root again ------------------------------------------------------------------------------------


def test_the_same_settings_again_do_nothing(root):
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    make_demo(str(root), **TINY, workers=1)
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


def test_other_settings_are_refused_by_name(root):
    with pytest.raises(UserError, match="made with frames 8, not 9; choose another root or delete"):
        make_demo(root, **{**TINY, "frames": 9})


def test_an_interrupted_making_is_made_again(root, tmp_path):
    half = tmp_path / "half"
    stale = half / "UCF-101" / "Slide" / "v_Slide_g09_c01.avi"
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"half a video")
    (half / MARKER).touch()
    make_demo(half, **TINY, workers=1)
    assert contents(half) == contents(root)


def test_a_strange_root_is_refused_and_left_alone(tmp_path):
    real = tmp_path / "UCF-101" / "Slide" / "v_Slide_g01_c01.avi"
    real.parent.mkdir(parents=True)
    real.write_bytes(b"real")
    with pytest.raises(UserError, match="not a demo set; choose another root"):
        make_demo(tmp_path, **TINY)
    assert contents(tmp_path) == {"UCF-101/Slide/v_Slide_g01_c01.avi": b"real"}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"settings": 3}'])
def test_somebody_elses_factors_are_refused(tmp_path, text):
    (tmp_path / FACTORS).write_text(text)
    with pytest.raises(UserError, match="is not a demo set's"):
        make_demo(tmp_path, **TINY)


def test_a_file_for_a_root_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="is a file"):
        make_demo(tmp_path / "file", **TINY)


@pytest.mark.parametrize(
    "wrong",
    [{"groups": 1}, {"test_groups": 2}, {"clips": 0}, {"seed": -1}, {"scene_strength": 1.5}, {"workers": 0}],
)
def test_impossible_settings_are_refused(tmp_path, wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        make_demo(tmp_path / "set", **{**TINY, **wrong})
    assert not (tmp_path / "set").exists()
