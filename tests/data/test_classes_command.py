"""Videos with labels of one's own, from real files to a tested classifier, as a user runs it."""

import csv
import json
import re

import pytest

from fbm.data.store.manifest import read_manifest
from tests.data.small_videos import make_video
from tests.tiny import fbm, only_error

LABELS = {"BabyCrawling": "crawling (baby)", "PushUps": 'push-ups & "more", $x^$'}
CLIPS = {1: "train", 2: "val", 3: "train", 4: "test"}
QUICK = ("trainer=cpu", "trainer.max_epochs=1", "encoder.width=4", "logger=csv", "callbacks.progress=null")
SMALL = ("data.size=32", "masks=none", "data.store=store")


@pytest.fixture
def clips(real_data):
    """Real clips of two classes, two of each of four groups: (class, group, path)."""
    top = real_data / "ucf101" / "UCF-101"
    return [
        (name, group, top / name / f"v_{name}_g{group:02}_c{clip:02}.avi")
        for name in LABELS
        for group in CLIPS
        for clip in (1, 2)
    ]


def link(clips, root, form):
    for name, group, path in clips:
        place = root / form.format(label=LABELS[name], group=group, split=CLIPS[group], file=path.name)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(path)


def in_folders(clips, place):
    link(clips, place / "mine", "{label}/recording {group}/{file}")
    return ["data.root=mine"]


def in_a_csv(clips, place):
    with (place / "mine.csv").open("w", newline="") as file:
        rows = [(path.relative_to(path.parents[1]), LABELS[name], group) for name, group, path in clips]
        csv.writer(file).writerows([("path", "label", "group"), *rows])
    return ["data.csv=mine.csv", f"data.root={clips[0][2].parents[1]}"]


def like_kaggle(clips, place):
    link(clips, place / "mine", "{split}/{label}/{file}")
    return ["data.root=mine"]


@pytest.mark.slow
@pytest.mark.parametrize("make", [in_folders, in_a_csv, like_kaggle])
def test_real_files_are_prepared_checked_and_classified(clips, tmp_path, monkeypatch, capsys, make):
    monkeypatch.chdir(tmp_path)
    given = make(clips, tmp_path)
    assert fbm("prepare", "data=classes", *given, *SMALL, "prepare.workers=2") == 0
    manifest = read_manifest(tmp_path / "store")
    assert manifest.classes == sorted(LABELS.values())
    assert [video.status for video in manifest.videos] == ["ok"] * 16
    splits = {(video.action, video.group): video.split for video in manifest.videos}
    assert len(splits) == 8  # both clips of a group are in one split
    assert {list(splits.values()).count(split) for split in ("val", "test")} == {2}
    assert fbm("doctor", "data=classes", *given, *SMALL) == 0
    settings = ("data=classes", *SMALL[::2], "task=classify", "test=true", "data.num_workers=0", "data.batch_size=4")
    assert fbm("train", *settings, *QUICK, "name=run") == 0
    summary = json.loads((tmp_path / "outputs/classes/run/summary.json").read_text())
    assert summary["classes"] == sorted(LABELS.values())
    assert (tmp_path / "outputs/classes/run/gallery/confusion.png").is_file()
    capsys.readouterr()
    assert fbm("report", "outputs/classes") == 0
    page = (tmp_path / "outputs/classes/report/index.html").read_text()
    assert "push-ups &amp; &#34;more&#34;, $x^$" in page


@pytest.mark.slow
def test_real_files_in_a_leaking_tree_are_refused_in_one_line(clips, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for number, (name, _, path) in enumerate(clips):
        place = tmp_path / "mine" / ("train", "test")[number % 2] / name / path.name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(path)
    command = ("prepare", "data=classes", "data.root=mine", *SMALL)
    assert fbm(*command) == 1
    error = only_error(re.sub(r"(?m)^files .*\n", "", capsys.readouterr().err))
    assert re.search(r"the splits leak: 8 of 8 groups .*data\.splits=draw draws them by group", error)
    assert not (tmp_path / "store").exists()
    assert fbm(*command, "data.splits=draw", "prepare.workers=2") == 0


@pytest.mark.slow
def test_missing_videos_of_a_list_are_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rows = [f"Run,id{number},{number},{number + 10},train" for number in range(40)]
    for number in (0, 1, 2):
        make_video(tmp_path / "k" / "Run" / f"id{number}_{number:06}_{number + 10:06}.mp4", number)
    (tmp_path / "k" / "train.csv").write_text("\n".join(["label,youtube_id,time_start,time_end,split", *rows]))
    command = ("data=kinetics", "data.root=k", *SMALL)
    assert fbm("prepare", *command) == 0
    text = capsys.readouterr().out
    assert re.findall(r"missing: .*", text) == [
        "missing: 37 listed videos are not there: Run/id10_000010_000020, Run/id11_000011_000021, "
        "Run/id12_000012_000022, Run/id13_000013_000023, Run/id14_000014_000024 and 32 more"
    ]
    assert fbm("prepare", *command, "data.skip_broken=false") == 1
    assert "37 of 40 videos cannot be used" in capsys.readouterr().err
    assert fbm("doctor", *command) == 1
    assert len(re.findall(r"missing", capsys.readouterr().out)) == 2  # of the data set, and of the store


@pytest.mark.slow
def test_segments_of_a_csv_are_prepared_and_checked(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rows = []
    for number in range(4):
        make_video(tmp_path / f"long{number}.mp4", number, frames=100)
        rows += [f"long{number}.mp4;sit down;0;2", f"long{number}.mp4;stand up;2;{'9' if number == 3 else '3.5'}"]
    (tmp_path / "own.csv").write_text("\n".join(["path;label;start;end", *rows]))
    command = ("data=classes", "data.csv=own.csv", *SMALL)
    assert fbm("prepare", *command) == 1
    assert "short: long3-2-9: the segment 2-9 s is beyond its end: it has 100 frames, 4 s" in capsys.readouterr().err
    manifest = read_manifest(tmp_path / "store")
    assert {row.name: (row.first_frame, row.frames) for row in manifest.videos if row.ok} == {
        **{f"long{number}-0-2": (0, 50) for number in range(4)},
        **{f"long{number}-2-3.5": (50, 38) for number in range(3)},
    }
    assert fbm("doctor", *command) == 1
    assert "long3-2-9: short: the segment 2-9 s is beyond its end" in capsys.readouterr().out


BAD_SETTINGS = {
    "data.splits=drawn": "data.splits='drawn': it should be 'given' or 'draw'",
    "data.test=much": "data.test='much': it should be",
    "data.classes=Run": "data.classes='Run': it should be",
    "data.csv=nowhere.csv": "the list nowhere.csv cannot be read",
    "data.root=nowhere": "data.root=nowhere: no such folder",
    "data.groupby=folder": "no such setting 'data.groupby'; did you mean 'data.group_by'",
}


@pytest.mark.slow
@pytest.mark.parametrize("setting", BAD_SETTINGS)
def test_bad_settings_are_one_line(tmp_path, monkeypatch, capsys, setting):
    monkeypatch.chdir(tmp_path)
    assert fbm("prepare", "data=classes", *SMALL, setting) == 1
    assert BAD_SETTINGS[setting] in only_error(capsys.readouterr().err)
    assert not (tmp_path / "store").exists()
