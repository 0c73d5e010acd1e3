import shutil

import cv2
import numpy as np
import pytest

from fbm.data.decoding.video import Header
from fbm.data.masks.command import find_inputs
from fbm.data.masks.unsupervised import Settings
from fbm.data.masks.video import make_masks, sheet
from fbm.data.store.frame_store import FrameStore
from fbm.utils.errors import UserError
from tests.data.masks.moving import iou, moving_square, read, write_video
from tests.tiny import fbm, only_error


def masks_in(folder):
    return np.stack([read(path) for path in sorted(folder.iterdir())])


def errors(capsys):
    """The lines of ours; beside them there is a progress bar."""
    lines = capsys.readouterr().err.splitlines()
    return only_error("\n".join(line for line in lines if line.startswith("fbm")))


def test_masks_of_any_video_are_pictures_of_its_size_and_a_sheet(tmp_path, capsys):
    frames, true = moving_square()
    video = write_video(tmp_path / "in" / "a.avi", frames)
    out = tmp_path / "out"
    assert fbm("masks", str(video), "--out", str(out), "--workers", "1") == 0
    assert "masks of 1 videos, 12 of their 12 frames have a foreground; 0 were there already" in capsys.readouterr().out
    found = masks_in(out / "a")
    assert found.dtype == np.uint8
    assert set(np.unique(found)) == {0, 255}
    assert iou(found > 0, true) > 0.6
    assert read(out / "a.png").shape == (2 * 150, 8 * 200, 3)
    assert fbm("masks", str(video), "--out", str(out)) == 0
    assert "masks of 0 videos" in capsys.readouterr().out
    assert {path.name for path in out.iterdir()} == {"a", "a.png", ".lock"}


def test_a_folder_of_pictures_is_a_video(tmp_path, capsys):
    frames, true = moving_square()
    (tmp_path / "in" / "a.b").mkdir(parents=True)
    for number, frame in enumerate(frames):
        cv2.imwrite(str(tmp_path / "in" / "a.b" / f"{number:03}.png"), frame[..., ::-1])
    out = tmp_path / "in" / "out"  # where it would be found the next time
    for made in (1, 0):
        assert fbm("masks", str(tmp_path / "in"), "--out", str(out), "--workers", "1") == 0
        assert f"masks of {made} videos" in capsys.readouterr().out
    assert iou(masks_in(out / "in" / "a.b") > 0, true) > 0.6


def test_a_broken_picture_is_named(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    cv2.imwrite(str(tmp_path / "in" / "1.png"), np.zeros((32, 32, 3), np.uint8))
    (tmp_path / "in" / "2.png").write_text("no picture")
    assert fbm("masks", str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--workers", "1") == 1
    assert "2.png is not a picture that can be read" in errors(capsys)
    assert not (tmp_path / "out" / "in").exists()


def test_masks_of_a_folder_are_read_by_prepare(small_root, tmp_path):
    """What `fbm masks` writes, `masks=files` takes."""
    out = tmp_path / "masks"
    (tmp_path / "some" / "Bounce").mkdir(parents=True)
    (tmp_path / "some" / f"{small_root.names[1]}.avi").symlink_to(small_root.video(1))
    assert fbm("masks", str(tmp_path / "some"), "--out", str(out), "--workers", "1") == 0
    common = [f"data.root={small_root.path}", "data.size=32", "prepare.workers=1"]
    store = tmp_path / "store"
    chosen = ["masks=files", f"masks.source.folder={out / 'some'}", f"data.store={store}"]
    assert fbm("prepare", "data=ucf101", *common, *chosen) == 0
    manifest = FrameStore(store).manifest
    assert manifest.masks == "files"
    assert all(video.masks.startswith("files:") and video.ok for video in manifest.videos)
    masked = {video.name for video in manifest.videos if video.masked_frames}
    assert masked == {small_root.names[1]}


def test_prepare_makes_them_once_and_goes_on(small_root, tmp_path, capsys):
    words = ["prepare", "data=ucf101", "masks=unsupervised", f"data.root={small_root.path}", "data.size=32"]
    words += ["prepare.workers=1", f"data.store={tmp_path / 'store'}"]
    assert fbm(*words) == 0
    assert "4 prepared now" in capsys.readouterr().out
    assert fbm(*words) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert fbm(*words, "masks.source.cut=0.6") == 0  # frames stay, masks are made anew
    assert "4 prepared now" in capsys.readouterr().out
    assert FrameStore(tmp_path / "store").manifest.masks == "unsupervised"


FILMS = {
    "my clip (1).mp4": "films/my_clip_1_",
    "my_clip_1_.avi": "films/my_clip_1_-2",
    "a.avi": "films/a-2",
    "a/[b] é.mts": "films/a/_b_é",
    "a/deep/no ending": "films/a/deep/no_ending",
    "linked/c.mp4": "films/linked/c",
}


@pytest.fixture
def films(tmp_path, monkeypatch):
    """Different videos with names that no two programs would change alike, one in a linked folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "films").mkdir()
    (tmp_path / "else").mkdir()
    (tmp_path / "films" / "linked").symlink_to(tmp_path / "else")
    for number, name in enumerate(FILMS):
        made = write_video(tmp_path / "made.avi", moving_square(frames=4 + number)[0])
        place = tmp_path / "films" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        made.rename(place)
    return tmp_path / "films"


PREPARE = ("prepare", "data=folder", "data.folders=[films]", "data.size=32", "prepare.workers=1", "masks=files")


def test_what_masks_are_called_prepare_calls_videos(films, tmp_path, capsys):
    shutil.copy(films / "a.avi", films / "z.avi")  # left out by prepare as a duplicate; its masks are claimed
    (films / "notes.txt").write_text("no video\n")
    assert fbm("masks", "films", "--out", "m", "--workers", "1") == 0
    told = capsys.readouterr().out
    assert "skipped: films/notes.txt: nothing that FFmpeg knows" in told
    assert "masks of 7 videos" in told
    assert "1 files that are no videos skipped" in told
    assert fbm("masks", "films", "--out", "m") == 0
    assert "7 were there already" in capsys.readouterr().out
    assert fbm(*PREPARE, "masks.source.folder=m", "data.store=store") == 0
    told = capsys.readouterr().out
    assert "have no masks" not in told
    assert "belong to none of the videos" not in told
    videos = FrameStore(tmp_path / "store").manifest
    assert {video.name for video in videos.videos if video.ok} == set(FILMS.values())
    assert all(video.masks.startswith("files:") and video.masks != "files:empty" for video in videos.videos if video.ok)


def test_what_is_left_over_is_told(films, tmp_path, capsys):
    for name, frames in (("films/a-2", 6), ("films/gone", 2)):
        (tmp_path / "m" / name).mkdir(parents=True)
        for number in range(frames):
            cv2.imwrite(str(tmp_path / "m" / name / f"{number}.png"), np.zeros((96, 128), np.uint8))
        cv2.imwrite(str(tmp_path / "m" / f"{name}.png"), np.zeros((9, 9, 3), np.uint8))  # a contact sheet
    np.savez(tmp_path / "m" / "other.npz", np.zeros((2, 96, 128), bool))
    assert fbm(*PREPARE, "masks.source.folder=m", "data.store=store") == 0
    told = capsys.readouterr().out
    assert "5 of 6 videos have no masks, and get empty ones: films/my_clip_1_, films/my_clip_1_-2, " in told
    assert "2 masks belong to none of the videos: other, films/gone\n" in told


def test_masks_of_no_video_at_all_are_refused_before_anything_is_decoded(films, tmp_path, capsys):
    assert fbm("masks", "films/a", "--out", "m", "--workers", "1") == 0
    assert fbm(*PREPARE, "masks.source.folder=m", "data.store=store") == 1
    said = errors(capsys)
    assert "none of the 6 videos has masks: there are some for a/_b_é, a/deep/no_ending, and the videos are" in said
    assert "masks.source.folder" in said
    assert not (tmp_path / "store").exists()


def test_a_broken_file_is_named_and_the_others_are_made(tmp_path, capsys):
    write_video(tmp_path / "in" / "good.avi", moving_square(frames=4)[0])
    (tmp_path / "in" / "bad.avi").write_bytes((tmp_path / "in" / "good.avi").read_bytes()[:300])
    out = tmp_path / "out"
    assert fbm("masks", str(tmp_path / "in"), "--out", str(out), "--workers", "1") == 1
    said = capsys.readouterr()
    assert "1 of 2 videos have no masks: " in said.err
    assert (said.out + said.err).count("bad.avi") == 1
    assert {path.name for path in (out / "in").iterdir()} == {"good", "good.png"}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["nowhere.avi"], "no such file or folder: nowhere.avi"),
        (["a.avi", "--workers", "0"], "--workers 0: it should be a whole number of at least 1"),
        (["a.avi", "--timeout", "-1"], "--timeout -1: it should be a number of seconds above 0"),
        (["texts"], "no videos in texts: the first of its 1 files is texts/a.txt (nothing that FFmpeg"),
    ],
)
def test_what_a_user_can_mend_is_one_line(more, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    frames = moving_square(frames=2)[0]
    write_video(tmp_path / "a.avi", frames)
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("no video\n")
    assert fbm("masks", *more) == 1
    assert said in errors(capsys)


def places(*inputs, out):
    return [video.name_in_store for video in find_inputs(inputs, out).videos]


def test_folders_keep_their_places(tmp_path):
    for name in ("x/a.avi", "y/a.avi"):
        write_video(tmp_path / "in" / name, moving_square(frames=2)[0])
    here, out = tmp_path / "in", tmp_path / "out"
    assert places(here, here, out=out) == ["in/x/a", "in/y/a"]
    assert places(here / "y", here, out=out) == ["y/a", "in/x/a"]
    assert places(here / "x" / "a.avi", here / "y" / "a.avi", out=out) == ["a", "a-2"]


def put_pictures(folder, count=2):
    folder.mkdir(parents=True)
    for number in range(count):
        cv2.imwrite(str(folder / f"{number}.jpg"), np.zeros((32, 32, 3), np.uint8))


def test_folders_of_pictures_stand_beside_videos(tmp_path):
    here = tmp_path / "in"
    put_pictures(here / "a")
    put_pictures(here / "a" / "inner")
    put_pictures(tmp_path / "else")
    (here / "linked").symlink_to(tmp_path / "else")
    write_video(here / "b" / "c.avi", moving_square(frames=2)[0]).rename(here / "b" / "c.jpg")  # a video by content
    cv2.imwrite(str(here / "b" / "cover.png"), np.zeros((32, 32, 3), np.uint8))
    found = find_inputs([here], tmp_path / "out")
    assert [video.name_in_store for video in found.videos] == ["in/b/c", "in/a-2", "in/a/inner", "in/linked"]
    assert [(skipped.path.name, skipped.reason) for skipped in found.skipped] == [
        ("cover.png", "a picture beside videos")
    ]


def test_masks_would_not_go_between_those_of_another(tmp_path):
    write_video(tmp_path / "in" / "a.avi", moving_square(frames=2)[0])
    put_pictures(tmp_path / "in" / "a" / "b")
    with pytest.raises(UserError, match=r"the masks of .*in/a/b would go between those of the video beside it"):
        find_inputs([tmp_path / "in"], tmp_path / "out")


def test_an_interrupted_video_leaves_nothing(tmp_path, monkeypatch):
    video = write_video(tmp_path / "a.avi", moving_square(frames=4)[0])
    monkeypatch.setattr("fbm.data.masks.video._highlight", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        make_masks(video, tmp_path / "out" / "a", Settings())
    assert not list((tmp_path / "out").iterdir())


def test_a_container_that_promises_no_number_does(tmp_path, monkeypatch):
    video = write_video(tmp_path / "a.avi", moving_square(frames=5)[0])
    monkeypatch.setattr("fbm.data.masks.video.count_packets", lambda _: 2)  # and a wrong one does as well
    monkeypatch.setattr("fbm.data.masks.video.read_header", lambda _: Header(0, 128, 96, 10.0))
    assert make_masks(video, tmp_path / "out" / "a", Settings()).frames == 5


def test_a_sheet_fills_its_last_row():
    assert sheet([np.ones((4, 6, 3), np.uint8)] * 9).shape == (8, 48, 3)
    assert sheet([np.ones((4, 6, 3), np.uint8)] * 3).shape == (4, 18, 3)
