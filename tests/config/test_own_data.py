"""The examples of docs/datasets.md: a data set and a mask source of a user's own, two files each."""

import re
import shutil
import sys
from pathlib import Path

import pytest

from fbm.config.compose import compose
from fbm.config.targets import path_keys
from fbm.data.store.frame_store import FrameStore
from fbm.data.store.manifest import read_manifest
from fbm.runs.fingerprints import result_fingerprints
from tests.tiny import fbm

DOCUMENT = Path(__file__).parents[2] / "docs" / "datasets.md"


def write_examples(folder: Path, *names: str) -> None:
    """Write the documented files of these names into `folder`."""
    blocks = dict(re.findall(r"`([\w./]+)`:\n\n```\w+\n(.*?)```", DOCUMENT.read_text(), re.DOTALL))
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(blocks[name])


@pytest.fixture
def place(small_root, tmp_path, monkeypatch):
    """A working directory with the examples, and a csv file of four videos."""
    write_examples(tmp_path, "mine.py", "own/data/csv.yaml", "mymasks.py", "own/masks/bright.yaml")
    (tmp_path / "threshold.txt").write_text("100")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("mine", "mymasks"):  # of another test's folder
        monkeypatch.delitem(sys.modules, name, raising=False)
    (tmp_path / "films").mkdir()
    rows = ["path,label,split"]
    for number, split in enumerate(("test", "train", "train", "val")):
        shutil.copy(small_root.video(number), tmp_path / "films" / f"{number}.avi")
        rows.append(f"{number}.avi,{'AB'[number % 2]},{split}")
    (tmp_path / "films" / "all.csv").write_text("\n".join(rows))
    return tmp_path


CSV = ["--config-dir", "own", "data=csv", "data.csv=films/all.csv", "data.size=32"]


def name_of(capsys, *words: str) -> str:
    capsys.readouterr()
    assert fbm("train", "--cfg", "job", "--resolve", "-p", "name", "--config-dir", "own", *words) == 0
    printed: str = capsys.readouterr().out
    return printed.strip()


def test_a_csv_data_set_takes_two_files(place, capsys):
    assert fbm("prepare", *CSV, "masks=bright", "prepare.workers=1") == 0
    manifest = read_manifest(place / "stores" / "csv")
    assert manifest.selection == {"labels": True}
    assert [(video.action, video.split, video.status) for video in manifest.videos] == [
        ("A", "test", "ok"),
        ("B", "train", "ok"),
        ("A", "train", "ok"),
        ("B", "val", "ok"),
    ]
    assert manifest.masks == "bright"
    store = FrameStore(place / "stores" / "csv")
    frames, masks = store.frames("0.avi", 0, 3), store.masks("0.avi", slice(0, 3))
    assert ((frames.mean(-1) > 100) == masks).all()
    assert fbm("doctor", *CSV, "masks=bright") == 0
    (place / "films" / "1.avi").unlink()
    assert fbm("doctor", *CSV, "masks=bright") == 1
    assert "missing: 1 of 4 listed videos are not there: 1.avi; the first should be" in capsys.readouterr().out
    assert fbm("doctor", *CSV[:3], "masks=bright") == 0  # without the file, the store alone


def test_moving_its_file_changes_neither_name_nor_fingerprint(place, capsys):
    def prints(*words: str) -> dict[str, str]:
        return result_fingerprints(compose(["data=csv", *words], place / "own"), None)

    plain = prints()
    assert prints("data.csv=films/all.csv") == plain
    assert prints("data.csv=/else/all.csv", "masks=bright", "masks.source.thresholds=/else") == prints("masks=bright")
    assert prints("data.labels=false")["config"] != plain["config"]
    name = name_of(capsys, "data=csv")
    assert name_of(capsys, "data=csv", "data.csv=films/all.csv") == name
    assert name_of(capsys, "data=csv", "data.labels=false") != name
    bright = name_of(capsys, "data=csv", "masks=bright")
    assert name_of(capsys, "data=csv", "masks=bright", "masks.source.thresholds=x/y.txt") == bright != name


def test_path_keys_follow_from_signatures():
    assert set(path_keys(compose(["data=folder", "masks=boxes"]))) == {
        *("data.source.folders", "data.folders", "data.source.root", "data.root", "data.source.test_lists"),
        *("data.test_lists", "masks.source.root", "masks.source.annotations", "data.annotations"),
    }
    assert path_keys(compose(["data=store"])) == ()
    assert path_keys(compose(["data=ucf101", "data.source._target_=no.such.Thing"])) == ()


def test_a_store_alone_can_be_trained_on_and_not_prepared(store, capsys):
    assert fbm("prepare", "data=store", f"data.store={store}", "masks=none") == 1
    assert "data=store" in capsys.readouterr().err
    assert fbm("doctor", "data=store", f"data.store={store}") == 0
    config = compose(["data=store", f"data.store={store}"])
    assert (config.data.size, config.masks.name, config.data.module.source) == (32, "boxes", None)
