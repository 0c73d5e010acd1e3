"""`data=folder`: what becomes of every file, and of which split it is."""

import shutil
from collections import Counter

import pytest

from fbm.data.datasets.folders import Folders
from fbm.data.datasets.ucf101 import UCF101
from fbm.data.masks.unsupervised import UnsupervisedMasks
from fbm.data.store.frame_store import FrameStore
from fbm.data.store.manifest import masks_file
from fbm.data.store.preparation import Preparation
from fbm.data.store.prepare import prepare
from fbm.utils.errors import UserError
from tests.data.small_videos import make_video
from tests.tiny import SIZE, fbm, only_error

FILES = 12  # different ones


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """Paths of small videos of different content."""
    root = tmp_path_factory.mktemp("videos")
    return [make_video(root / f"{number}.avi", number) for number in range(FILES)]


@pytest.fixture
def folder(tmp_path, made):
    """Puts videos into `films`, by name and number."""

    def put(**videos):
        for name, number in videos.items():
            path = tmp_path / "films" / f"{name}.avi"
            path.parent.mkdir(exist_ok=True)
            shutil.copy2(made[number], path)
        return tmp_path / "films"

    return put


def told(videos):
    """What is said of each file that is not used."""
    return {video.name: (video.fault.status, video.fault.reason) for video in videos if video.fault}


def splits(videos):
    return {video.name.removeprefix("films/"): video.split for video in videos if not video.fault}


def test_every_file_is_a_video_or_has_a_fault(folder):
    place = folder(a=0, b=1)
    (place / "notes.avi").write_text("no video\n" * 9)
    half = make_video(place / "half.mp4", 2)
    half.write_bytes(half.read_bytes()[: half.stat().st_size // 2])
    videos = Folders([place], validation=0.0).videos()
    assert splits(videos) == {"a": "train", "b": "train"}
    assert [video.expected for video in videos if not video.fault] == [34, 34]
    assert {video.action for video in videos} == {""}
    assert {name: status for name, (status, _) in told(videos).items()} == {
        "films/notes.avi": "not_a_video",
        "films/half.mp4": "undecodable",
    }


def test_names_are_each_files_own(folder, tmp_path):
    place = folder(a=0)
    make_video(place / "a.mp4", 1)
    shutil.copytree(place, tmp_path / "more" / "films")
    videos = Folders([place, tmp_path / "more" / "films"], duplicates="keep").videos()
    assert [video.name for video in videos] == ["films/a", "films/a-2", "films/a-3", "films/a-4"]


def test_the_same_content_is_used_once(folder):
    place = folder(b=0, a=1, z=0)
    assert told(Folders([place]).videos()) == {"films/z.avi": ("duplicate", "same file as films/b")}
    assert not told(Folders([place], duplicates="keep").videos())


def test_a_share_of_the_videos_is_for_validation(folder):
    place = folder(**{f"v{number}": number for number in range(10)})
    drawn = splits(Folders([place], validation=0.3).videos())
    assert Counter(drawn.values()) == {"train": 7, "val": 3}
    assert splits(Folders([place], validation=0.3).videos()) == drawn
    assert splits(Folders([place], validation=0.3, validation_seed=1).videos()) != drawn
    assert set(splits(Folders([place], validation=0.0).videos()).values()) == {"train"}


def test_what_belongs_together_is_never_parted(folder):
    names = ("v_Run_g09_c01", "v_run_g09_c02", "copy")
    place = folder(**dict.fromkeys(names, 0), **{f"v{number}": number for number in range(1, 4)})
    parted = set()
    for seed in range(8):
        videos = Folders([place], validation=0.4, validation_seed=seed, duplicates="keep", test_videos="keep").videos()
        drawn = splits(videos)
        parted.add(drawn["copy"])
        assert len({drawn[name] for name in names}) == 1
        assert len({video.group for video in videos}) == 4
    assert parted == {"train", "val"}


@pytest.fixture
def lists(tmp_path):
    """Official lists on which group 1 of Run is tested."""
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "testlist01.txt").write_text("Run/v_Run_g01_c01.avi\nRun/v_Run_g01_c02.avi\n")
    return tmp_path / "lists"


def test_test_videos_stay_out_by_name_and_their_copies_too(folder, lists):
    place = folder(v_Run_g01_c07=0, v_Run_g02_c01=1, mine=0, other=2)
    assert told(Folders([place], test_lists=lists).videos()) == {
        "films/v_Run_g01_c07.avi": ("test_video", "named as one of a group on UCF-101's test list"),
        "films/mine.avi": ("test_video", "same file as films/v_Run_g01_c07, a test video by its name"),
    }
    assert not told(Folders([place], test_lists=lists, test_videos="keep", duplicates="keep").videos())
    assert not told(Folders([place], test_lists=lists, split="all", duplicates="keep").videos())
    with pytest.raises(UserError, match=r"no split file .*testlist02\.txt"):
        Folders([place], test_lists=lists, split=2).videos()


def test_without_lists_it_is_said_that_test_videos_cannot_be_told(folder, capsys):
    place = folder(v_Run_g01_c01=0, other=1)
    assert not told(Folders([place]).videos())
    assert "1 videos are named like UCF-101's; whether they are test videos is unknown" in capsys.readouterr().out
    Folders([folder(v_Run_g01_c01=0)], test_videos="keep").videos()
    assert not capsys.readouterr().out


def test_beside_ucf_101_its_classes_alone_are_labels(folder, small_root, tmp_path):
    done = stored(folder(a=0), tmp_path / "store", root=small_root.path)
    assert done.manifest.classes == ["Bounce"]
    assert [row.action for row in done.manifest.videos] == [*["Bounce"] * 4, ""]


@pytest.fixture
def mixed(folder, small_root):
    """A folder with copies of UCF-101's videos, and that root, whose groups are: 1 test, of 2 to 4 one is val."""
    place = folder(other=0)
    for video in UCF101(small_root.path, validation=0.4).videos():
        shutil.copy(video.path, place / f"{video.split}{video.group}.avi")
        if video.split == "train":
            make_video(place / f"{video.path.stem}.mp4", video.group)
        else:
            make_video(place / f"v_bounce_g{video.group:02}_c09.mp4", video.group)
    return Folders([place], small_root.path, validation=0.4)


def test_beside_ucf_101_copies_of_its_videos_are_known(mixed, small_root):
    videos = mixed.videos()
    own = UCF101(small_root.path, validation=0.4).videos()
    assert videos[:4] == own
    faults = {name: status for name, (status, _) in told(videos).items()}
    wanted = {f"films/{v.split}{v.group}.avi": "duplicate" if v.split == "train" else "test_video" for v in own}
    assert faults == {**wanted, "films/v_bounce_g01_c09.mp4": "test_video"}
    for video in videos[4:]:
        if "Bounce_g" in video.name or (video.name.startswith("films/v_bounce") and not video.fault):
            number = int(video.name[-6:-4])
            assert video.split == next(one.split for one in own if one.group == number)


def test_what_is_kept_stays_in_the_split_of_its_content(mixed, small_root):
    kept = Folders(mixed.folders, mixed.root, validation=0.4, duplicates="keep", test_videos="keep").videos()
    assert not told(kept)
    drawn = splits(kept[4:])
    for video in kept[:4]:
        assert drawn[f"{video.split}{video.group}"] == ("train" if video.split == "test" else video.split)


def test_a_folder_inside_ucf_101_adds_nothing(small_root):
    videos = Folders([small_root.path / "UCF-101"], small_root.path).videos()
    assert {status for status, _ in told(videos).values()} == {"duplicate", "test_video"}
    assert len(told(videos)) == 4


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"folders": None}, "data.folders is not given"),
        ({"folders": []}, "data.folders is not given"),
        ({"validation": "paper"}, "data.validation=paper is of UCF-101"),
        ({"validation": 1.5}, "data.validation=1.5 must be a share"),
        ({"root": "nowhere"}, "data.root=nowhere: no such folder"),
    ],
)
def test_settings_that_cannot_be_are_one_line(folder, settings, words):
    with pytest.raises(UserError, match=words):
        Folders(**{"folders": [folder(a=0)], **settings}).videos()


def test_a_folder_without_a_video_is_one_line(folder, tmp_path):
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.avi").write_text("no video\n" * 9)
    with pytest.raises(UserError, match="texts holds no video that can be opened; the first of its 1 files is texts/a"):
        Folders([folder(a=0), tmp_path / "texts"]).videos()


def test_the_selection_holds_choices_and_no_places(folder, small_root):
    place = folder(a=0)
    selection = Folders([place], small_root.path, duplicates="keep").selection()
    assert selection == {
        **{"folders": ["films"], "root": "UCF-101", "duplicates": "keep", "test_videos": "leave_out"},
        **UCF101(None).selection(),
    }
    asked = Folders(duplicates="keep").selection()  # as training asks, without the places
    assert asked.items() <= selection.items()


# --- into a store


def stored(place, store, **settings):
    return prepare(Preparation(Folders([place], **settings), None, "none", store, SIZE, workers=1, timeout=600))


def test_a_file_that_is_mended_or_removed_is_told_the_next_time(folder, tmp_path):
    place, store = folder(a=0, b=1, c=1), tmp_path / "store"
    whole = (place / "a.avi").read_bytes()
    (place / "a.avi").write_bytes(whole[: len(whole) * 4 // 5])
    rows = stored(place, store).manifest
    assert {row.name: row.status for row in rows.videos} == {
        "films/a": "short",
        "films/b": "ok",
        "films/c.avi": "duplicate",
    }
    assert [row.name for row in rows.broken] == ["films/a"]
    assert [row.name for row in rows.excluded] == ["films/c.avi"]
    assert rows.classes == []
    (place / "a.avi").write_bytes(whole)
    (place / "b.avi").unlink()
    done = stored(place, store)
    assert done.worked_on == 2
    assert {row.name: row.status for row in done.manifest.videos} == {"films/a": "ok", "films/c": "ok"}
    assert stored(place, store).worked_on == 0


def test_groups_follow_when_a_file_is_added(folder, tmp_path):
    place, store = folder(b=1, c=2, d=3), tmp_path / "store"
    stored(place, store)
    folder(a=0)
    done = stored(place, store, validation=0.4)
    assert done.worked_on == 1
    assert [row.group for row in done.manifest.videos] == [1, 2, 3, 4]
    assert {row.name.removeprefix("films/"): row.split for row in done.manifest.videos} == splits(
        Folders([place], validation=0.4).videos()
    )


def test_from_folders_to_a_pretrained_network(folder, tmp_path, monkeypatch, capsys):
    """And what a store without labels refuses."""
    place = folder(a=0, b=1, c=2, d=0, short=3)
    make_video(place / "short.avi", 3, frames=20)
    (place / "README.txt").write_text("what is here")
    monkeypatch.chdir(tmp_path)
    data = ["data=folder", f"data.size={SIZE}", "masks=none"]
    assert fbm("prepare", *data, f"data.folders=[{place}]", "prepare.workers=1") == 0
    lines = capsys.readouterr().out.splitlines()
    assert "duplicate: films/d.avi: same file as films/a" in lines
    assert any(line.startswith("not_a_video: films/README.txt: ") for line in lines)
    assert lines[-1] == "1 videos have fewer than data.chunk_frames=32 frames: they give no clips"
    assert "4 videos (" in lines[-2]
    assert "0 not usable, 1 left out as duplicate, 1 left out as not_a_video, fingerprint" in lines[-2]
    small = ["data.batch_size=2", "encoder.width=4", "trainer=cpu", "trainer.max_epochs=1", "data.num_workers=0"]
    small += ["logger=csv", "callbacks.progress=null"]
    assert fbm("train", *data, *small, "task=autoencode") == 0
    capsys.readouterr()
    assert fbm("train", *data, *small, "task=classify") == 1
    assert "holds no training video with a label" in only_error(capsys.readouterr().err)
    assert fbm("train", *data, *small, "task=autoencode", "name=x", "data.folders=[elsewhere]") == 1
    assert "data.folders=['films'], this run asks for data.folders=['elsewhere']" in only_error(capsys.readouterr().err)


def test_unsupervised_masks_are_made_of_them(folder, tmp_path):
    place = folder(a=0)
    prepare(
        Preparation(
            Folders([place]), UnsupervisedMasks(), "unsupervised", tmp_path / "store", SIZE, workers=1, timeout=600
        )
    )
    store = FrameStore(tmp_path / "store")
    assert store.usable[0].masked_frames > 0
    assert 0 < store.usable[0].mask_confidence < 1
    assert masks_file(tmp_path / "store", "unsupervised", "films/a").is_file()
