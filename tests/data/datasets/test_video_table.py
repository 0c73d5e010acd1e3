"""`data=classes data.csv=FILE`: rows of videos and of segments of videos."""

import shutil
from collections import Counter

import pytest

from fbm.data.datasets.classes import Classes
from fbm.utils.errors import UserError
from tests.data.small_videos import make_video


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """A folder with a.avi to l.avi."""
    root = tmp_path_factory.mktemp("videos")
    for number, name in enumerate("abcdefghijkl"):
        make_video(root / f"{name}.avi", number, frames=4)
    return root


@pytest.fixture
def table(tmp_path, videos):
    """Writes a csv beside the videos."""
    place = tmp_path / "set"
    shutil.copytree(videos, place)

    def write(text, name="own.csv"):
        (place / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return place / name

    return write


def read(*files, root=None, **given):
    return {v.name: v for v in Classes(root, list(files) if files[1:] else files[0], **given).videos()}


PLAIN = "path,label,split\na.avi,Run,train\nb.avi,Run,val\nc.avi,Run,test\n"
FORMS = {
    "as it is": PLAIN,
    "semicolons": PLAIN.replace(",", ";"),
    "tabs": PLAIN.replace(",", "\t"),
    "windows": b"\xef\xbb\xbf" + PLAIN.replace("\n", "\r\n").encode(),
    "utf-16": PLAIN.encode("utf-16"),
    "quotes": 'path,label,split\n"a.avi","Run","train"\nb.avi, \'Run\' ,val\nc.avi,Run,test',
    "other words": "nr,Split,Clip_Path,CLASS\n0,training,a.avi,Run\n1,validation,b.avi,Run\n\n2,Test,/c.avi,Run\n",
}


@pytest.mark.parametrize("form", FORMS)
def test_a_csv_is_read_as_programs_write_it(table, form):
    found = read(table(FORMS[form]))
    assert {(v.name, v.action, v.split) for v in found.values()} == {
        ("a", "Run", "train"),
        ("b", "Run", "val"),
        ("c", "Run", "test"),
    }
    assert all(video.path.is_file() and not video.segment for video in found.values())


def test_labels_and_names_may_contain_anything(table, videos, tmp_path):
    place = tmp_path / "set"
    (place / "a, b.avi").symlink_to(videos / "a.avi")
    found = read(table('path,label\n"a, b.avi","sit; stand $x^ ""up"""\nb.avi,"sit; stand $x^ ""up"""\n'), test=0.0)
    assert {video.action for video in found.values()} == {'sit; stand $x^ "up"'}
    assert set(found) == {"a,_b", "b"}


def test_files_named_after_splits_need_no_column(table):
    files = [
        table(f"clip_name,clip_path,label\nx,/{name}.avi,Run\n", f"{split}.csv")
        for name, split in (("a", "train"), ("b", "val"), ("c", "test"))
    ]
    assert {name: video.split for name, video in read(*files).items()} == {"a": "train", "b": "val", "c": "test"}


def test_paths_are_relative_to_the_root_if_it_is_given(table, tmp_path):
    file = table("path,label\nset/a.avi,Run\nset/b.avi,Run\n", "../own.csv")
    given = {"validation": 0.0, "test": 0.5}
    assert set(read(file, root=tmp_path, **given)) == {"set/a", "set/b"}
    absolute = table(f"path,label\n{tmp_path}/set/a.avi,Run\n{tmp_path}/set/b.avi,Run\n", "../own.csv")
    assert set(read(absolute, root=tmp_path / "set", **given)) == {"a", "b"}


def test_groups_of_the_column_stay_together_over_classes(table):
    rows = [f"{name}.avi,{'RunSitHop'[3 * (n % 3) :][:3]},p{n // 3}" for n, name in enumerate("abcdefghijkl")]
    found = read(table("\n".join(["path,label,group", *rows])))
    of_group: dict[int, set[str]] = {}
    for video in found.values():
        of_group.setdefault(video.group, set()).add(video.split)
    assert sorted(map(len, of_group.values())) == [1, 1, 1, 1]
    assert Counter((v.action, v.split) for v in found.values()) == {
        (action, split): count
        for action in ("Run", "Sit", "Hop")
        for split, count in (("train", 2), ("val", 1), ("test", 1))
    }


def test_segments_of_a_file_are_videos_of_one_group(table):
    rows = [
        f"{name}.avi,{label},{start},{end}"
        for name in "abc"
        for label, start, end in (("Run", 0, 0.04), ("Sit", "", ""))
    ]
    rows = [row.replace("Sit,,", "Sit,0.04,") for row in rows]
    found = read(table("\n".join(["path,label,start,end", *rows])))
    assert set(found) == {f"{name}-{part}" for name in "abc" for part in ("0-0.04", "0.04-end")}
    video = found["b-0-0.04"]
    assert (video.action, video.start, video.end, video.segment) == ("Run", 0.0, 0.04, "0-0.04")
    assert (found["b-0.04-end"].start, found["b-0.04-end"].end) == (0.04, None)
    for name in "abc":
        assert len({(v.group, v.split) for n, v in found.items() if n.startswith(name)}) == 1
    assert {video.split for video in found.values()} == {"train", "val", "test"}


def test_a_missing_video_keeps_its_row_and_is_not_drawn(table):
    found = read(table("path,label\na.avi,Run\nb.avi,Run\nc.avi,Run\nz.avi,Run\n"))
    assert found["z"].fault is None
    assert not found["z"].path.exists()
    assert {found[name].split for name in "abc"} == {"train", "val", "test"}


FREE = "path,label,start,end\n"
REFUSED = {
    "empty": ("", r"own\.csv is empty: it should begin with the names of its columns, path,label"),
    "only a header": ("path,label\n", "has no rows below its header"),
    "no header": ("a.avi,Run\n", "has no column path and no column label: its first line should name the columns"),
    "no label column": ("path,split\na.avi,train\n", "has no column label: .* it is 'path,split'"),
    "no label": ("path,label\na.avi,\n", "line 2 has no label"),
    "many values": ("path,label\na.avi,sit, stand\n", "line 2 has 3 values, the header 2 columns"),
    "split word": (PLAIN.replace("val", "dev"), r"line 3: 'dev' is not a split; it should be train, val or test"),
    "no split": (PLAIN.replace(",val", ","), "line 3 has no split, other rows have one"),
    "outside": ("path,label\na.avi,Run\n../own.csv,Run\n", r"line 3: \.\./own\.csv is not below"),
    "elsewhere": ("path,label\n/etc/hosts,Run\n", "line 2: /etc/hosts is not below"),
    "missing class": ("path,label\na.avi,Run\nz.avi,Sit\n", "class 'Sit' has no usable video.*no such file"),
    "two labels": ("path,label\na.avi,Run\na.avi,Sit\n", "line 2 and .*line 3 are one file with two labels, 'Run'"),
    "overlap": (f"{FREE}a.avi,Run,0,2\na.avi,Sit,1.5,3\n", "one file with two labels.*do not overlap"),
    "whole and part": (f"{FREE}a.avi,Run,,\na.avi,Sit,1,3\n", "one file with two labels"),
    "twice": ("path,label\na.avi,Run\na.avi,Run\n", "line 2 and .*line 3 are the same video"),
    "start": (f"{FREE}a.avi,Run,2,2\n", r"line 2: start=2 is not before end=2"),
    "number": (f"{FREE}a.avi,Run,0,soon\n", r"line 2: end=soon is not a number of seconds"),
    "nan": (f"{FREE}a.avi,Run,nan,2\n", r"line 2: start=nan is not a number of seconds"),
    "negative": (f"{FREE}a.avi,Run,-1,2\n", r"line 2: start=-1 is not a number of seconds of at least 0"),
    "leak by group": (
        "path,label,group,split\na.avi,Run,p1,train\nb.avi,Run,p1,test\n",
        r"the splits leak: 1 of 1 groups .*line 2 in train and .*line 3 in test \(both of group p1\); data\.splits=",
    ),
    "leak by file": (
        "path,label,start,end,split\na.avi,Run,0,1,train\na.avi,Run,1,2,test\n",
        r"the splits leak: 1 of 1 .*\(one file\)",
    ),
    "few groups": ("path,label\na.avi,Run\nb.avi,Run\n", "class 'Run' has 2 groups of videos to divide"),
    "not text": (b"path,label\n\0\1\2", "is not text"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_csv_is_refused(table, case):
    text, words = REFUSED[case]
    with pytest.raises(UserError, match=words) as refused:
        read(table(text))
    assert "\n" not in str(refused.value)


def test_no_such_csv(tmp_path):
    with pytest.raises(UserError, match=r"the list .*none\.csv cannot be read: No such file"):
        read(tmp_path / "none.csv")
