import codecs
import os
import shutil
from pathlib import Path

import pytest

from fbm.data.datasets.inputs import NAMED, find_videos
from fbm.utils.errors import UserError
from tests.data.small_videos import make_video

PLACES = ("v/b.avi", "v/a.MP4", "v/inner/c", "v/inner/d.mts", "v/._b.avi", "v/.hidden/d.avi", "one.avi")


@pytest.fixture(scope="session")
def video(tmp_path_factory):
    """One small video."""
    return make_video(tmp_path_factory.mktemp("video") / "any.avi", 0)


@pytest.fixture
def folder(tmp_path, monkeypatch, video):
    monkeypatch.chdir(tmp_path)
    for name in PLACES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(video, tmp_path / name)
    (tmp_path / "v" / "notes.pdf").write_text("no video\n")
    return tmp_path


def named(*places):
    return [video.name for video in find_videos([Path(place) for place in places]).videos]


def test_a_folder_is_looked_through_in_order_and_by_content(folder):
    found = find_videos([folder / "v"])
    assert [one.name for one in found.videos] == [
        str(folder / "v" / name) for name in ("a.MP4", "b.avi", "inner/c", "inner/d.mts")
    ]
    stat = (folder / "v" / "a.MP4").stat()
    assert (found.videos[0].size, found.videos[0].mtime_ns) == (stat.st_size, stat.st_mtime_ns)
    assert [one.name_in_store for one in found.videos] == ["v/a", "v/b", "v/inner/c", "v/inner/d"]


def test_what_is_no_video_is_named_and_counted(folder):
    (folder / "v" / "empty.mp4").touch()
    told = find_videos([folder / "v"]).skip_lines
    assert told[0] == f"skipped: {folder}/v/empty.mp4: the file is empty (0 bytes)"
    assert told[1].startswith(f"skipped: {folder}/v/notes.pdf: nothing that FFmpeg knows")
    assert len(told) == 2
    for number in range(NAMED + 1):
        (folder / "v" / f"{number}.mp4").touch()
    told = find_videos([folder / "v"]).skip_lines
    assert len(told) == NAMED + 1
    assert told[-1] == "skipped: 3 more files that are no videos"


def test_linked_folders_are_looked_through_once(folder, tmp_path):
    (tmp_path / "else").mkdir()
    shutil.copy(folder / "one.avi", tmp_path / "else" / "far.3gp")
    (folder / "v" / "linked").symlink_to(tmp_path / "else")
    (folder / "v" / "inner" / "up").symlink_to(folder / "v")
    assert named("v")[-1] == "v/linked/far.3gp"
    assert len(named("v", "else")) == 5


def test_a_broken_video_is_a_video(folder):
    (folder / "v" / "torn.avi").write_bytes((folder / "one.avi").read_bytes()[:300])
    assert "v/torn.avi" in named("v")


def test_paths_are_named_as_they_were_given(folder):
    assert named("one.avi", "v/../v/b.avi") == ["one.avi", "v/../v/b.avi"]


def test_a_list_holds_paths_relative_to_itself(folder):
    (folder / "v" / "list.txt").write_bytes(f"b.avi\r\n\r\n  ../one.avi  \r\n{folder}/v/a.MP4\r\ngone.avi".encode())
    found = find_videos([folder / "v" / "list.txt"]).videos
    assert [video.name for video in found] == [
        *(f"{folder}/v/b.avi", f"{folder}/v/../one.avi", f"{folder}/v/a.MP4", f"{folder}/v/gone.avi")
    ]
    assert found[3].size == 0


@pytest.mark.parametrize("start", [b"", codecs.BOM_UTF8], ids=["plain", "mark"])
@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("list.txt", "my film (1), b.avi 3\none.avi\t4\n"),
        ("list.txt", "'my film (1), b.avi'\n\"one.avi\" 4\n"),
        ("list.csv", 'path,label\n"my film (1), b.avi",3\none.avi,4\n'),
        ("list.csv", "3;my film (1), b.avi\n4;one.avi\n"),
        ("list.tsv", "Video\tClass\nmy film (1), b.avi\t3\none.avi\t4\n"),
    ],
)
def test_a_list_may_have_labels_quotes_columns_and_a_byte_order_mark(folder, name, lines, start):
    shutil.copy(folder / "one.avi", folder / "my film (1), b.avi")
    (folder / name).write_bytes(start + lines.encode())
    assert named(name) == ["my film (1), b.avi", "one.avi"]


def test_a_list_may_be_in_utf_16(folder):
    (folder / "list.txt").write_text("one.avi\n", encoding="utf-16")
    assert named("list.txt") == ["one.avi"]


def test_a_file_counts_once_however_it_is_named(folder):
    (folder / "link.avi").symlink_to(folder / "one.avi")
    (folder / "list.txt").write_text("one.avi\none.avi\nv/b.avi\n")
    names = [Path(name).name for name in named("link.avi", "one.avi", "list.txt", "v", "v")]
    assert names == ["link.avi", "b.avi", "a.MP4", "c", "d.mts"]


def test_a_file_that_a_person_names_is_tried_whatever_it_is(folder):
    assert named("v/notes.pdf") == ["v/notes.pdf"]


def test_a_name_in_another_encoding_is_text_all_the_same(folder):
    path = os.fsencode(folder) + b"/v/caf\xe9.avi"
    shutil.copy(os.fsencode(folder / "one.avi"), path)
    names = named(folder / "v")
    assert f"{folder}/v/caf\\xe9.avi" in names
    assert all(name.encode() for name in names)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gone", "no such file or folder: .*gone"),
        ("empty", r"no videos in .*empty: it holds no file"),
        ("texts", r"no videos in .*texts: the first of its 2 files is .*/a\.avi \(nothing that"),
        ("empty.txt", "the list .*empty.txt names no videos: it should hold one path a line, alone or with a label"),
        ("head.csv", "the list .*head.csv names no videos"),
        ("binary.txt", "the list .*binary.txt is not text"),
        ("odd.txt", "the list .*odd.txt is not text"),
    ],
)
def test_inputs_without_videos_are_named(folder, name, message):
    (folder / "empty").mkdir()
    (folder / "texts").mkdir()
    (folder / "texts" / "a.avi").write_text("no video\n")
    (folder / "texts" / "b.txt").write_text("no video\n")
    (folder / "empty.txt").write_text("\n \n")
    (folder / "head.csv").write_text("path,label\n")
    (folder / "binary.txt").write_bytes(b"a\0b\n")
    (folder / "odd.txt").write_bytes(codecs.BOM_UTF16_LE + b"abc")
    with pytest.raises(UserError, match=message):
        find_videos([folder / "v", folder / name])
