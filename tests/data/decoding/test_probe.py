import zipfile

import cv2
import numpy as np
import pytest

from fbm.data.decoding.probe import probe_video
from fbm.data.decoding.video import VideoError
from tests.data.small_videos import make_video


@pytest.mark.parametrize("ending", ["avi", "mp4", "mkv", "webm", "mov"])
def test_a_video_says_how_many_frames_it_should_have(tmp_path, ending):
    codec = "libvpx" if ending == "webm" else "mpeg4"
    assert probe_video(make_video(tmp_path / f"video.{ending}", 0, codec=codec)) == 34
    assert probe_video((tmp_path / f"video.{ending}").rename(tmp_path / "video")) == 34  # by its content


def zipped(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", "b" * 999)


OTHERS = {
    "notes.avi": (lambda path: path.write_text("no video\n" * 50), "nothing that FFmpeg knows"),
    "long.txt": (lambda path: path.write_text("v_A_g01_c01.avi 1\n" * 5000), "a text"),
    "list.avi": (lambda path: path.write_text("ffconcat version 1.0\nfile 'video.avi'\n"), "a text"),
    "empty.mp4": (lambda path: path.touch(), "the file is empty"),
    "noise.mp4": (lambda path: path.write_bytes(np.random.default_rng(0).bytes(9999)), "nothing that FFmpeg knows"),
    "picture.png": (lambda path: cv2.imwrite(str(path), np.zeros((32, 32, 3), np.uint8)), "a picture"),
    "picture.jpg": (lambda path: cv2.imwrite(str(path), np.zeros((32, 32, 3), np.uint8)), "a picture"),
    "one.avi": (lambda path: make_video(path, 0, frames=1), "a picture"),
    "packed.zip": (zipped, "nothing that FFmpeg knows"),
    "words.srt": (lambda path: path.write_text("1\n00:00:01,000 --> 00:00:02,000\nhi\n"), "holds no video stream"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_video_is_told(tmp_path, name):
    make_video(tmp_path / "video.avi", 0)
    make, words = OTHERS[name]
    make(tmp_path / name)
    with pytest.raises(VideoError, match=words) as told:
        probe_video(tmp_path / name)
    assert told.value.status == "not_a_video"


@pytest.mark.parametrize(
    ("ending", "status", "words"),
    [
        ("mp4", "undecodable", "cannot be opened"),  # its index was at the end
        ("mkv", "short", "the file is cut: .* of the .* bytes it promises are there"),
    ],
)
def test_a_video_that_is_cut_is_broken_and_still_a_video(tmp_path, ending, status, words):
    path = make_video(tmp_path / f"video.{ending}", 0)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(VideoError, match=words) as told:
        probe_video(path)
    assert told.value.status == status


def test_a_matroska_file_that_was_recorded_live_promises_nothing(tmp_path):
    path = make_video(tmp_path / "video.mkv", 0)
    content = bytearray(path.read_bytes())
    place = content.index(b"\x18\x53\x80\x67") + 4
    content[place : place + 8] = b"\x01" + b"\xff" * 7
    path.write_bytes(content[: len(content) * 3 // 4])
    assert probe_video(path) == 34


def test_a_file_that_cannot_be_read_is_broken(tmp_path):
    (tmp_path / "gone.avi").symlink_to("nowhere")
    with pytest.raises(VideoError, match="cannot be read: No such file") as told:
        probe_video(tmp_path / "gone.avi")
    assert told.value.status == "undecodable"
