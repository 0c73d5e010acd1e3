import os
from pathlib import Path

import pytest

from fbm.data.inputs import VIDEOS, find_videos
from fbm.errors import UserError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("v/b.avi", "v/a.MP4", "v/inner/c.webm", "v/._b.avi", "v/.hidden/d.avi", "v/notes.pdf", "one.avi"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x" * len(name))
    return tmp_path


def test_a_folder_is_looked_through_in_order(folder):
    (video, *_), names = find_videos([folder / "v"]), [v.name for v in find_videos([folder / "v"])]
    assert names == [str(folder / "v" / name) for name in ("a.MP4", "b.avi", "inner/c.webm")]
    stat = (folder / "v" / "a.MP4").stat()
    assert (video.size, video.mtime_ns) == (stat.st_size, stat.st_mtime_ns)
    assert len(VIDEOS) == 10


def test_paths_are_named_as_they_were_given(folder):
    found = find_videos([Path("one.avi"), Path("v/../v/b.avi")])
    assert [video.name for video in found] == ["one.avi", "v/../v/b.avi"]


def test_a_list_holds_paths_relative_to_itself(folder):
    (folder / "v" / "list.txt").write_bytes(f"b.avi\r\n\r\n  ../one.avi  \r\n{folder}/v/a.MP4\r\ngone.avi".encode())
    found = find_videos([folder / "v" / "list.txt"])
    assert [video.name for video in found] == [
        *(f"{folder}/v/b.avi", f"{folder}/v/../one.avi", f"{folder}/v/a.MP4", f"{folder}/v/gone.avi")
    ]
    assert found[3].size == 0


def test_a_file_counts_once_however_it_is_named(folder):
    (folder / "link.avi").symlink_to(folder / "one.avi")
    (folder / "list.txt").write_text("one.avi\none.avi\nv/b.avi\n")
    found = find_videos([folder / name for name in ("link.avi", "one.avi", "list.txt", "v")])
    assert [video.path.name for video in found] == ["link.avi", "b.avi", "a.MP4", "c.webm"]


def test_a_file_that_a_person_names_is_tried_whatever_its_ending(folder):
    assert [video.path.name for video in find_videos([folder / "v" / "notes.pdf"])] == ["notes.pdf"]


def test_a_name_in_another_encoding_is_text_all_the_same(folder):
    path = os.fsencode(folder) + b"/v/caf\xe9.avi"
    with open(path, "wb"):  # noqa: PTH123
        pass
    names = [video.name for video in find_videos([folder / "v"])]
    assert f"{folder}/v/caf\\xe9.avi" in names
    assert all(name.encode() for name in names)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gone", "no such file or folder: .*gone"),
        ("empty", r"no videos in .*empty \(of \.avi, \.flv"),
        ("empty.txt", "the list .*empty.txt names no videos"),
        ("binary.txt", "the list .*binary.txt is not text"),
    ],
)
def test_inputs_without_videos_are_named(folder, name, message):
    (folder / "empty").mkdir()
    (folder / "empty.txt").write_text("\n \n")
    (folder / "binary.txt").write_bytes(b"a\0b\n")
    with pytest.raises(UserError, match=message):
        find_videos([folder / "v", folder / name])
