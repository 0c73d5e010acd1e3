"""Published lists, as they are published: Kinetics, HMDB-51 and Diving-48 in miniature."""

import json
import shutil
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from fbm.data.datasets.diving48 import Diving48
from fbm.data.datasets.hmdb51 import HMDB51
from fbm.data.datasets.kinetics import Kinetics
from fbm.utils.errors import UserError

HEADER = "label,youtube_id,time_start,time_end,split,is_cc\n"


def touch(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"video")


def splits(videos):
    return {video.name: video.split for video in videos}


@pytest.fixture
def kinetics(tmp_path):
    """Ten recordings of two classes for training, two for validation, one for test; some are missing."""
    train = "".join(
        f"{label},ID-{label[:1]}{number}_x,{number},{number + 10},train,0\n"
        for label in ('"playing guitar"', "abseiling")
        for number in range(5)
    ).replace('ID-"', "ID-p")
    lists = tmp_path / "annotations"
    lists.mkdir()
    (lists / "train.csv").write_text(HEADER + train)
    (lists / "validate.csv").write_text(
        HEADER + "abseiling,-vvv,10,20,validate,0\nplaying guitar,www,7,17,validate,0\n"
    )
    (lists / "test.csv").write_text(HEADER + "abseiling,ttt,0,10,test,0\n")
    for number in range(5):
        touch(tmp_path / "train" / f"ID-a{number}_x_{number:06}_{number + 10:06}.mp4")  # flat, as in the archives
        touch(tmp_path / "other" / "playing_guitar" / f"ID-p{number}_x_{number:06}_{number + 10:06}.mkv")
    touch(tmp_path / "val" / "abseiling" / "-vvv_000010_000020.mp4", tmp_path / "test" / "ttt_000000_000010.mp4")
    return tmp_path


def test_kinetics_in_its_own_splits(kinetics):
    videos = Kinetics(kinetics).videos()
    assert Counter((video.action, video.split, video.path.exists()) for video in videos) == {
        ("abseiling", "train", True): 5,
        ("playing guitar", "train", True): 5,
        ("abseiling", "val", True): 1,
        ("playing guitar", "val", False): 1,
        ("abseiling", "test", True): 1,
    }
    assert {"train/ID-a3_x_000003_000013", "val/abseiling/-vvv_000010_000020"} <= splits(videos).keys()
    assert not any(video.segment for video in videos)  # the files are cut already


def test_kinetics_tested_on_its_validation_list(kinetics):
    (kinetics / "annotations" / "test.csv").write_text("youtube_id,time_start,time_end,split\nttt,0,10,test\n")
    with pytest.raises(UserError, match=r"test\.csv has no column label.*; data\.test=val does without it"):
        Kinetics(kinetics).videos()
    videos = Kinetics(kinetics, test="val", validation=0.2).videos()
    assert Counter(video.split for video in videos) == {"train": 8, "val": 2, "test": 2}
    assert splits(videos)["val/abseiling/-vvv_000010_000020"] == "test"


def test_segments_of_one_recording_are_drawn_together(kinetics):
    lists = kinetics / "annotations"
    shutil.move(lists / "train.csv", lists / "kinetics_700_train.csv")
    for name in ("validate.csv", "test.csv"):
        (lists / name).unlink()
    with (lists / "kinetics_700_train.csv").open("a") as file:
        for number in range(5):
            file.write(f"abseiling,ID-a{number}_x,50,60,train,0\n")
            touch(kinetics / "train" / f"ID-a{number}_x_000050_000060.mp4")
    videos = [video for video in Kinetics(kinetics, validation=0.4).videos() if video.action == "abseiling"]
    assert Counter(video.split for video in videos) == {"train": 6, "val": 4}
    assert len({(video.name[:11], video.split, video.group) for video in videos}) == 5


def test_only_classes_with_a_video_are_present(kinetics):
    shutil.rmtree(kinetics / "other")
    assert {video.action for video in Kinetics(kinetics).videos()} == {"abseiling"}
    both = Kinetics(kinetics, classes=["abseiling", "playing guitar"]).videos()
    assert Counter(video.path.exists() for video in both) == {True: 7, False: 6}


def test_of_several_files_of_a_name_one_that_is_a_video_is_taken(kinetics, demo_root):
    video = next(demo_root.rglob("*.avi"))
    touch(kinetics / "train" / "ID-a0_x_000000_000010.info")
    shutil.copyfile(video, kinetics / "train" / "ID-a0_x_000000_000010.mp4")
    touch(kinetics / "masks" / "train" / "ID-a1_x_000001_000011.npz")
    paths = {video.path.name for video in Kinetics(kinetics).videos()}
    assert {"ID-a0_x_000000_000010.mp4", "ID-a1_x_000001_000011.mp4"} <= paths


def spoil(name, text, mode="w"):
    def change(root):
        with (root / "annotations" / name).open(mode) as file:
            file.write(text)

    return change


KINETICS_REFUSED: dict[str, tuple[Callable[[Any], object], dict[str, Any], str]] = {
    "no list": (lambda root: (root / "annotations" / "train.csv").unlink(), {}, r"no list train\.csv in"),
    "two lists": (spoil("old_train.csv", HEADER), {}, r"train\.csv and .*train\.csv are lists of one split"),
    "no column": (spoil("train.csv", "label,id\na,b\n"), {}, "has no column youtube_id"),
    "time": (spoil("train.csv", "abseiling,x,soon,20,train,0\n", "a"), {}, r"line 12: time_start=soon is not a number"),
    "split": (spoil("train.csv", "abseiling,x,1,20,dev,0\n", "a"), {}, r"line 12: 'dev' is not a split"),
    "label": (
        spoil("validate.csv", "flying,x,1,2,validate,0\n", "a"),
        {},
        "line 4: no training video has the label 'fly",
    ),
    "class": (lambda root: root, {"classes": ["absailing"]}, "no class 'absailing'; did you mean 'abseiling'"),
    "no videos": (
        lambda root: [
            folder.rename(root.parent / folder.name) for folder in root.iterdir() if folder.name != "annotations"
        ],
        {},
        "none of the 13 listed videos is below .*, not even ID-p0_x_000000_000010 with any extension",
    ),
    "no folder": (lambda root: root, {"lists": "nowhere"}, r"data\.lists=nowhere: no such folder"),
    "no root": (lambda root: root, {"root": None}, r"data\.root is not given"),
}


@pytest.mark.parametrize("case", KINETICS_REFUSED)
def test_bad_kinetics_are_refused(kinetics, case):
    change, given, words = KINETICS_REFUSED[case]
    change(kinetics)
    with pytest.raises(UserError, match=words) as refused:
        Kinetics(**{"root": kinetics, **given}).videos()
    assert "\n" not in str(refused.value)


@pytest.fixture
def hmdb51(tmp_path):
    """Two classes of four films with two clips each in train, one film in test, one clip unused."""
    lists = tmp_path / "testTrainMulti_7030_splits"
    lists.mkdir()
    for label in ("brush_hair", "cartwheel"):
        rows = [(f"Film{film}_{label}_u_nm_np1_ba_goo_{clip}.avi", 1) for film in range(4) for clip in (0, 1)]
        rows += [(f"Test_#1_{label}_f_cm_np1_fr_med_0.avi", 2), (f"Left_{label}_f_cm_np1_fr_med_0.avi", 0)]
        (lists / f"{label}_test_split1.txt").write_bytes("".join(f"{name} {flag} \r\n" for name, flag in rows).encode())
        touch(*(tmp_path / "hmdb51_org" / label / name for name, _ in rows))
    return tmp_path


def test_hmdb51_with_its_flags(hmdb51):
    videos = HMDB51(hmdb51, validation=0.25).videos()
    for label in ("brush_hair", "cartwheel"):
        own = [video for video in videos if video.action == label]
        assert Counter(video.split for video in own) == {"train": 6, "val": 2, "test": 1}
        assert len({video.name.split(f"_{label}")[0] for video in own if video.split == "val"}) == 1
    assert "hmdb51_org/cartwheel/Film1_cartwheel_u_nm_np1_ba_goo_0" in splits(videos)
    assert not any("Left" in video.name for video in videos)  # flag 0
    assert all(video.path.is_file() for video in videos)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("x.avi 3", r"line 11: 'x\.avi 3' is not NAME\.avi and a flag, 0, 1 or 2"),
        ("x.avi", r"line 11: 'x\.avi' is not"),
        ("../x.avi 1", r"line 11: '\.\./x\.avi 1' is not"),
    ],
)
def test_bad_lists_of_hmdb51_are_refused(hmdb51, line, words):
    with (hmdb51 / "testTrainMulti_7030_splits" / "cartwheel_test_split1.txt").open("a") as file:
        file.write(line)
    with pytest.raises(UserError, match=words):
        HMDB51(hmdb51).videos()


def test_another_split_of_hmdb51_needs_its_lists(hmdb51):
    with pytest.raises(UserError, match=r"no list CLASS_test_split2\.txt in .*data\.lists=FOLDER"):
        HMDB51(hmdb51, split=2).videos()


@pytest.fixture
def diving48(tmp_path):
    """Two classes; three recordings of two dives each for training, one for test."""
    names = [(f"-rec_{recording}_{dive:05}", dive) for recording in range(4) for dive in (0, 1)]
    videos = [{"vid_name": name, "label": label, "start_frame": 0, "end_frame": 48} for name, label in names]
    (tmp_path / "Diving48_V2_train.json").write_text(json.dumps(videos[:6]))
    (tmp_path / "Diving48_V2_test.json").write_text(json.dumps(videos[6:]))
    vocabulary = [["Back", "15som", "05Twis", "FREE"], ["Forward", "Dive", "NoTwis", "PIKE"]]
    (tmp_path / "Diving48_vocab.json").write_text(json.dumps(vocabulary))
    touch(*(tmp_path / "rgb" / f"{name}.mp4" for name, _ in names))
    return tmp_path


def test_diving48_with_its_vocabulary(diving48):
    videos = Diving48(diving48).videos()
    assert {video.action for video in videos} == {"Back 15som 05Twis FREE", "Forward Dive NoTwis PIKE"}
    assert Counter(video.split for video in videos)["test"] == 2
    assert splits(videos)["rgb/-rec_3_00001"] == "test"
    of_recording: dict[int, set[str]] = {}
    for video in videos:
        of_recording.setdefault(video.group, set()).add(video.split)
    assert len(of_recording) == 4
    assert all(len(own) == 1 for own in of_recording.values())
    assert {"val"} in of_recording.values()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"label": 2}, r"video 7: label=2 is not in Diving48_vocab\.json, which has 0 to 1"),
        ({"label": True}, r"video 7: label=True is not in"),
        ({"vid_name": "../x"}, r"video 7: vid_name='\.\./x' is not a name"),
        ({"start_frame": 3}, "video 7: start_frame=3, but Diving-48's videos are cut"),
        (None, "video 7 lacks vid_name, label or start_frame"),
    ],
)
def test_bad_lists_of_diving48_are_refused(diving48, change, words):
    file = diving48 / "Diving48_V2_train.json"
    videos = json.loads(file.read_text())
    file.write_text(json.dumps([*videos, change and {**videos[0], **change}]))
    with pytest.raises(UserError, match=words):
        Diving48(diving48).videos()


def test_lists_of_diving48_that_are_no_json_or_missing(diving48):
    with pytest.raises(UserError, match=r"Diving48_train\.json cannot be read: No such file"):
        Diving48(diving48, version=1).videos()
    (diving48 / "Diving48_vocab.json").write_text("Back\n")
    with pytest.raises(UserError, match=r"Diving48_vocab\.json is not JSON"):
        Diving48(diving48).videos()
    (diving48 / "Diving48_vocab.json").write_text('{"0": "Back"}')
    with pytest.raises(UserError, match="is not Diving-48's vocabulary"):
        Diving48(diving48).videos()
