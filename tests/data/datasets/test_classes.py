"""`data=classes`: which label, group and split each video of folders or a csv has, and what is refused."""

import os
import shutil
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from fbm.data.datasets.classes import Classes
from fbm.data.masks.boxes import BoxMasks
from fbm.data.masks.matching import match_masks
from fbm.utils.errors import UserError
from tests.data.small_videos import make_video

FILES = 16  # of different content


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("videos")
    return [make_video(root / f"{number}.avi", number, frames=4) for number in range(FILES)]


@pytest.fixture
def root(tmp_path, made):
    """Puts videos below `mine`, by path; the number is that of their content."""

    def put(**videos):
        for number, path in enumerate(videos.get("paths", [])):
            place = tmp_path / "mine" / path
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(made[videos.get("same", number)], place)
        return tmp_path / "mine"

    return put


def filled(root, classes=("Run", "Jump up"), each=5, form="{label}/{number}.avi"):
    return root(paths=[form.format(label=label, number=number) for label in classes for number in range(each)])


def splits(videos):
    return {video.name: video.split for video in videos if not video.fault}


def of(root, **given):
    return Classes(root, **given).videos()


def test_a_folder_is_a_class_and_splits_are_drawn_for_each(root):
    videos = of(filled(root))
    assert [video.name for video in videos[:2]] == ["Jump_up/0", "Jump_up/1"]
    assert Counter((video.action, video.split) for video in videos) == {
        **{("Run", split): count for split, count in (("train", 3), ("val", 1), ("test", 1))},
        **{("Jump up", split): count for split, count in (("train", 3), ("val", 1), ("test", 1))},
    }
    assert splits(of(filled(root))) == splits(videos)
    assert splits(of(filled(root), split_seed=1)) != splits(videos)
    assert len({video.group for video in videos}) == 10


def test_a_class_is_drawn_the_same_beside_others_and_more_are_more_of_the_same(root):
    place = filled(root, each=8)
    few, more = (splits(of(place, validation=0.0, test=share)) for share in (0.25, 0.5))
    assert {name for name, split in few.items() if split == "test"} < {n for n, s in more.items() if s == "test"}
    alone = splits(of(place, classes=["Run"], validation=0.0, test=0.25))
    assert alone == {name: split for name, split in few.items() if name.startswith("Run")}


def test_content_decides_what_a_file_is(root):
    place = filled(root)
    (place / "Run" / "notes.avi").write_text("no video\n")
    (place / "Run" / "0.avi").rename(place / "Run" / "deep.down")
    (place / "Run" / "broken.mp4").write_bytes((0).to_bytes(4) + b"ftypisom" + bytes(60))
    (place / "masks").mkdir()  # of masks=files
    (place / "list.txt").write_text("beside the classes\n")
    videos = of(place)
    assert {video.name: (video.action, video.fault.status) for video in videos if video.fault} == {
        "Run/notes.avi": ("", "not_a_video"),
        "Run/broken.mp4": ("Run", "undecodable"),
    }
    assert "Run/deep" in splits(videos)


def test_the_same_content_is_never_in_two_splits(root, made):
    for seed in range(6):
        place = filled(root, each=4)
        shutil.copyfile(place / "Run" / "0.avi", place / "Run" / "copy.avi")
        videos = {video.name: video for video in of(place, split_seed=seed)}
        assert videos["Run/copy"].split == videos["Run/0"].split
        assert videos["Run/copy"].group == videos["Run/0"].group


@pytest.mark.parametrize(
    ("form", "group_by"),
    [
        ("{label}/person{number}/a{twice}.avi", "folder"),
        ("{label}/person{number}_{twice}.avi", "(person[0-9]+)_"),
        ("{label}/v_{label}_g0{number}_c0{twice}.avi", "content"),
    ],
)
def test_groups_of_folders_and_names_stay_together(root, form, group_by):
    paths = [
        form.format(label=label, number=number, twice=twice)
        for label in ("Run", "Walk")
        for number in range(4)
        for twice in (1, 2)
    ]
    videos = of(root(paths=paths), group_by=group_by)
    of_group: dict[int, set[str]] = {}
    for video in videos:
        of_group.setdefault(video.group, set()).add(video.split)
    named = group_by == "content"  # UCF-101 numbers the groups of each class
    assert len(of_group) == (8 if named else 4)
    assert all(len(own) == 1 for own in of_group.values())
    assert Counter(video.split for video in videos) == {"train": 8, "val": 4, "test": 4}


def test_splits_of_folders_are_kept_and_the_missing_one_is_drawn(root):
    paths = [
        f"{split}/{label}/{split}{number}.avi" for split in ("train", "test") for label in "AB" for number in (1, 2, 3)
    ]
    videos = of(root(paths=paths[:9] + paths[9:]))
    assert {name for name, split in splits(videos).items() if split == "test"} == {
        f"{label}/test{number}" for label in "AB" for number in (1, 2, 3)
    }
    assert Counter(splits(videos).values()) == {"train": 4, "val": 2, "test": 6}
    assert Counter(splits(of(root(), splits="draw")).values()) == {"train": 8, "val": 2, "test": 2}


def test_a_tree_like_kaggles_leaks_and_is_drawn_by_group(root):
    names = [(label, group, clip) for label in ("Swing", "Biking") for group in (1, 2, 3) for clip in (1, 2)]
    place = root(
        paths=[
            f"{'train' if clip == 1 or group == 3 else 'val'}/{label}/v_{label}_g{group:02}_c{clip:02}.avi"
            for label, group, clip in names
        ]
    )
    (place / "train.csv").write_text("clip_name,clip_path,label\n")
    with pytest.raises(UserError, match=r"the splits leak: 4 of 6 groups .*g01 of biking.*data\.splits=draw draws"):
        of(place)
    drawn = splits(of(place, splits="draw"))
    assert drawn.keys() == {f"{label}/v_{label}_g{group:02}_c{clip:02}" for label, group, clip in names}
    assert Counter(drawn.values()) == {"train": 4, "val": 4, "test": 4}


REFUSED: dict[str, tuple[Callable[[Any], object], dict[str, Any], str]] = {
    "no root": (lambda place: place, {}, r"data\.root is not given.*data\.csv=FILE"),
    "no folder": (shutil.rmtree, {}, "mine: no such folder"),
    "no classes": (
        lambda place: [done() for done in (lambda: shutil.rmtree(place), place.mkdir)],
        {},
        "holds no folders: it should hold one a class",
    ),
    "an empty class": (lambda place: (place / "Sit").mkdir(), {}, r"class 'Sit' has no video in .*it is empty"),
    "a class of texts": (
        lambda place: ((place / "Sit").mkdir(), (place / "Sit" / "a.mp4").write_text("text\n")),
        {},
        r"class 'Sit' has no video in .*the first of its 1 files is a\.mp4 \(",
    ),
    "a broken class": (
        lambda place: ((place / "Sit").mkdir(), (place / "Sit" / "a.mp4").write_bytes(b"\0\0\0\0ftypisom")),
        {},
        "class 'Sit' has no usable video",
    ),
    "a video beside": (
        lambda place: shutil.copyfile(place / "Run" / "0.avi", place / "b.avi"),
        {},
        r"1 video in .* is in no class folder, the first is b\.avi",
    ),
    "splits beside classes": (
        lambda place: [shutil.copytree(place / "Run", place / split / "Run") for split in ("train", "test")],
        {},
        r"holds folders of splits \(test, train\) beside Jump up",
    ),
    "two labels": (
        lambda place: shutil.copyfile(place / "Run" / "0.avi", place / "Jump up" / "copy.avi"),
        {},
        "Jump up/copy.avi and .*Run/0.avi are the same content with two labels, 'Jump up' and 'Run'",
    ),
    "few groups": (
        lambda place: [(place / "Run" / f"{number}.avi").unlink() for number in range(1, 5)],
        {},
        r"class 'Run' has 1 group of videos to divide between train and test and val.*data\.test=0 or data\.validatio",
    ),
    "no such class": (lambda place: place, {"classes": ["Rum"]}, "no class 'Rum'; did you mean 'Run'"),
    "share": (lambda place: place, {"test": 1.0}, r"data\.test=1\.0 must be a share"),
    "shares": (lambda place: place, {"test": 0.5, "validation": 0.5}, "leave nothing to train on"),
    "seed": (lambda place: place, {"split_seed": -1}, r"data\.split_seed=-1 must be at least 0"),
    "pattern": (lambda place: place, {"group_by": "(["}, r"data\.group_by=\(\[: not content, folder or a regular"),
    "no group": (lambda place: place, {"group_by": "names"}, "regular expression with one parenthesis"),
    "no match": (lambda place: place, {"group_by": "(Run)"}, r"matches 5 of 10 videos, and not Jump up/0"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_folders_are_refused(root, case):
    change, given, words = REFUSED[case]
    place = filled(root)
    change(place)
    with pytest.raises(UserError, match=words) as refused:
        of(None if case == "no root" else place, **given)
    assert "\n" not in str(refused.value)


def test_labels_of_any_bytes_become_text(tmp_path, made):
    for name in (b"caf\xe9  x", "été".encode()):
        folder = tmp_path / "odd" / os.fsdecode(name)
        folder.mkdir(parents=True)
        for number in range(3):
            shutil.copyfile(made[number + 3 * (name[0] == 99)], folder / f"{number}.avi")
    assert {video.action for video in of(tmp_path / "odd")} == {"caf\\xe9 x", "été"}


@pytest.mark.parametrize("split", ["", "train"])
def test_boxes_and_masks_of_ucf_101_fit_its_names(demo_root, tmp_path, split):
    (tmp_path / split).mkdir(exist_ok=True)
    for folder in (demo_root / "UCF-101").iterdir():
        (tmp_path / split / folder.name).symlink_to(folder)
    masks, notes = match_masks(of(tmp_path), BoxMasks(None, demo_root / "annotations"))
    assert len(masks) == 30
    assert all(masks.values())
    assert not notes
