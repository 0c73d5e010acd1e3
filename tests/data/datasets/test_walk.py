import os
import re

import pytest

from fbm.data.datasets.walk import LONGEST, File, iter_files, video_names
from fbm.utils.errors import UserError


@pytest.fixture
def folder(tmp_path):
    """Two files in a folder."""
    (tmp_path / "films" / "old").mkdir(parents=True)
    for name in ("b.avi", "old/a.mp4"):
        (tmp_path / "films" / name).touch()
    return tmp_path / "films"


def names(*folders):
    return [file.name() for file in iter_files(folders)]


def test_every_file_is_found_in_order_and_hidden_ones_are_not(folder):
    (folder / ".hidden").mkdir()
    for name in (".DS_Store", ".hidden/c.avi", "a.txt"):
        (folder / name).touch()
    assert names(folder) == ["films/a", "films/b", "films/old/a"]
    assert [file.name(ending=True) for file in iter_files([folder])] == [
        "films/a.txt",
        "films/b.avi",
        "films/old/a.mp4",
    ]


def test_links_are_followed_once(folder, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "c.avi").touch()
    (folder / "old" / "up").symlink_to(folder)
    (folder / "one").symlink_to(tmp_path / "other")
    (folder / "two").symlink_to(tmp_path / "other")
    (folder / "nowhere.avi").symlink_to("gone")
    (folder / "endless.avi").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe.avi")
    assert names(folder) == ["films/b", "films/nowhere", "films/old/a", "films/one/c"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["gone"], "gone: there is no such folder"),
        (["films/b.avi"], "b.avi: is a file; name the folder that it is in"),
        (["empty"], "empty holds no file"),
        (["films", "films/../films"], "films is the same folder as .*: name one of them"),
        (["films/old", "films"], "old is inside .*films: name one of them"),
        (["films", "link"], "films is the same folder as .*link"),
    ],
)
def test_a_folder_that_cannot_be_meant_is_one_line(folder, tmp_path, given, words):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / ".hidden").touch()
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(UserError, match=f"data.folders: .*{words}"):
        iter_files([tmp_path / name for name in given])


@pytest.mark.parametrize(
    ("part", "safe"),
    [
        ("my film (2).v1", "my_film_2_.v1"),
        ("Žluťoučký kůň", "Žluťoučký_kůň"),
        ("a\udcffb\n", "a_b_"),
        ("...", "_"),
        ("*?", "_"),
        ("..\\..\\up", "_.._up"),
    ],
)
def test_names_stay_readable_and_fit_every_file_system(tmp_path, part, safe):
    assert File(tmp_path / f"{part}.avi", ("films", part)).name() == f"films/{safe}"


def test_a_long_name_is_cut_and_stays_its_own(tmp_path):
    one, other = (File(tmp_path / "x", ("films", "ž" * 250 + end)).name() for end in "ab")
    assert one != other
    assert len(one.encode()) < LONGEST + 20
    assert re.fullmatch(r"films/ž+-[0-9a-f]{8}", one)


def test_a_folder_is_called_by_its_own_name(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert [file.name() for file in iter_files([folder.relative_to(folder)])] == ["films/b", "films/old/a"]


def test_videos_have_names_of_their_own_and_none_is_a_folder_of_another(tmp_path):
    places = ("a.avi", "a.mp4", "A.mov", "a-2.mkv", "b.mp4", "b/c.mp4", "my clip (1).mp4", "my_clip_1_.mp4")
    files = [File(tmp_path / place, ("films", *place.rpartition(".")[0].split("/"))) for place in places]
    assert video_names(files, {"films/b/c"}) == [
        *("films/a", "films/a-2", "films/A-3", "films/a-2-2", "films/b-2", "films/b/c-2"),
        *("films/my_clip_1_", "films/my_clip_1_-2"),
    ]
