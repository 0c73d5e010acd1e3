import cv2
import numpy as np
import pytest

from fbm.data.decode import Header
from fbm.data.store import FrameStore
from fbm.masks.command import find_tasks
from fbm.masks.unsupervised import Settings
from fbm.masks.video import make_masks, sheet
from tests.masks.moving import iou, moving_square, read, write_video
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
    assert iou(masks_in(out / "a.b") > 0, true) > 0.6


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
    chosen = ["masks=files", f"masks.source.folder={out}", f"data.store={store}"]
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


def test_a_broken_file_is_named_and_the_others_are_made(tmp_path, capsys):
    write_video(tmp_path / "in" / "good.avi", moving_square(frames=4)[0])
    (tmp_path / "in" / "bad.avi").write_bytes(b"no video")
    out = tmp_path / "out"
    assert fbm("masks", str(tmp_path / "in"), "--out", str(out), "--workers", "1") == 1
    assert "1 of 2 videos have no masks, the first is" in errors(capsys)
    assert {path.name for path in out.iterdir()} == {"good", "good.png", ".lock"}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["nowhere.avi"], "no such file or folder: nowhere.avi"),
        (["a.avi", "--workers", "0"], "--workers 0: it should be a whole number of at least 1"),
        (["a.avi", "--timeout", "-1"], "--timeout -1: it should be a number of seconds above 0"),
        (["one", "two"], "would both go to masks/a"),
    ],
)
def test_what_a_user_can_mend_is_one_line(more, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    frames = moving_square(frames=2)[0]
    for place in ("a.avi", "one/a.avi", "two/a.avi"):
        write_video(tmp_path / place, frames)
    assert fbm("masks", *more) == 1
    assert said in only_error(capsys.readouterr().err)


def test_folders_keep_their_places(tmp_path):
    for name in ("x/a.avi", "y/a.avi"):
        write_video(tmp_path / "in" / name, moving_square(frames=2)[0])
    tasks = find_tasks([tmp_path / "in"], tmp_path / "out")
    assert [task.folder.relative_to(tmp_path / "out").as_posix() for task in tasks] == ["x/a", "y/a"]
    assert len(find_tasks([tmp_path / "in", tmp_path / "in"], tmp_path / "out")) == 2


def test_an_interrupted_video_leaves_nothing(tmp_path, monkeypatch):
    video = write_video(tmp_path / "a.avi", moving_square(frames=4)[0])
    monkeypatch.setattr("fbm.masks.video._lit", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        make_masks(video, tmp_path / "out" / "a", Settings())
    assert not list((tmp_path / "out").iterdir())


def test_a_container_that_promises_no_number_does(tmp_path, monkeypatch):
    video = write_video(tmp_path / "a.avi", moving_square(frames=5)[0])
    monkeypatch.setattr("fbm.masks.video.count_packets", lambda _: 2)  # and a wrong one does as well
    monkeypatch.setattr("fbm.masks.video.read_header", lambda _: Header(0, 128, 96, 10.0))
    assert make_masks(video, tmp_path / "out" / "a", Settings()).frames == 5


def test_a_sheet_fills_its_last_row():
    assert sheet([np.ones((4, 6, 3), np.uint8)] * 9).shape == (8, 48, 3)
    assert sheet([np.ones((4, 6, 3), np.uint8)] * 3).shape == (4, 18, 3)
