import hashlib
import os
import re
import shutil

import numpy as np
import pytest

from fbm.cli.doctor import main
from fbm.cli.doctor.data import check_data
from fbm.data.datasets.folders import Folders
from fbm.data.datasets.ucf101 import UCF101
from fbm.data.decoding import decoders
from fbm.data.masks.boxes import BoxMasks
from fbm.data.store.journal import JOURNAL
from fbm.data.store.manifest import MANIFEST, frames_file, masks_file
from fbm.data.store.preparation import Preparation
from fbm.data.store.prepare import prepare
from tests.conftest import SIZE
from tests.tiny import fbm


def tree(root):
    """Every file's content and times."""
    return {
        str(p.relative_to(root)): (
            p.stat().st_mtime_ns,
            hashlib.sha256(p.read_bytes()).hexdigest() if p.is_file() else "",
        )
        for p in root.rglob("*")
    }


@pytest.fixture
def prepared(small_root, small_store):
    """A small root and its store."""
    return small_root, small_store


def look(root, store):
    before = tree(root.path), tree(store)
    found = check_data(UCF101(root.path), BoxMasks(root.path), store)
    assert (tree(root.path), tree(store)) == before  # nothing is changed
    return found


def test_all_is_well(prepared):
    root, store = prepared
    found = look(root, store)
    assert found.problems == []
    assert found.summary == (
        f"4 videos listed, 0 more files in their folders that no list names; store {store} checked"
    )


def test_a_decoder_that_is_not_installed_is_a_problem_of_one_line(prepared, monkeypatch, capsys):
    monkeypatch.setattr(decoders, "find_spec", lambda name: None)
    root, store = prepared
    settings = ("data=ucf101", "data.size=32", "data.decoder=torchcodec")
    with pytest.raises(SystemExit):
        main([f"data.root={root.path}", f"data.store={store}", *settings])
    said = capsys.readouterr()
    assert said.out.splitlines()[0] == "the decoder torchcodec is not installed: pip install torchcodec"
    assert "problems found: 1" in said.err


def test_a_data_set_without_a_store(small_root):
    shutil.copy(small_root.video(0), small_root.video(0).with_name("v_Bounce_g77_c01.avi"))
    found = look(small_root, small_root.path / "nowhere")
    assert found.problems == []
    assert "1 more files" in found.summary
    assert "no store at" in found.summary


def half(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def test_every_kind_of_broken_video_is_found_at_once(small_root):
    small_root.video(0).unlink()
    small_root.video(1).write_bytes(b"")
    small_root.video(2).write_bytes(np.random.default_rng(0).bytes(9999))
    half(small_root.video(3))
    problems = look(small_root, small_root.path / "nowhere").problems
    assert len(problems) == 4
    for problem, name, words in zip(
        problems,
        small_root.names,
        (
            "missing: 1 of 4 listed videos are not there: {}; the first should be at ",
            "{}: undecodable: the file is empty",
            "{}: undecodable: ",
            "{}: short: ",
        ),
        strict=True,
    ):
        assert problem.startswith(words.format(name))


def test_every_kind_of_bad_annotation_is_found_at_once(small_root):
    texts = [small_root.xgtf(number).read_text() for number in range(4)]
    count = '<data:dvalue value="'
    small_root.xgtf(0).write_text(texts[0].replace(count, count + "1", 1))  # 134 frames or so
    small_root.xgtf(1).write_text(texts[1].replace('x="', 'x="9', 1))
    small_root.xgtf(2).write_text(texts[2].replace("<viper", '<!DOCTYPE a [<!ENTITY b "c">]><viper', 1))
    small_root.xgtf(3).write_text(texts[3][:500])
    problems = look(small_root, small_root.path / "nowhere").problems
    words = ["frames, the video has", "outside the 160 x 120 frame", "declares XML entities", "not readable XML"]
    assert len(problems) == 4
    assert all("bad_annotation: " in problem for problem in problems)
    assert all(word in problem for word, problem in zip(words, problems, strict=True))


def test_a_damaged_pickle_is_one_problem_beside_the_videos(small_root):
    shutil.rmtree(small_root.path / "annotations")
    (small_root.path / "annotations").mkdir()
    (small_root.path / "annotations" / "boxes.pkl").write_bytes(b"\x80\x04cut")
    small_root.video(1).write_bytes(b"")
    problems = look(small_root, small_root.path / "nowhere").problems
    assert len(problems) == 2
    assert "boxes.pkl refused" in problems[0]
    assert "the file is empty" in problems[1]


def test_a_data_set_that_cannot_be_listed_is_said(small_root):
    small_root.list_file("test").write_text("../../x.avi 1\n")
    found = look(small_root, small_root.path / "nowhere")
    assert len(found.problems) == 1
    assert "line 1: '../../x.avi' is not of the form" in found.problems[0]


def test_every_kind_of_damage_to_a_store_is_found_at_once(prepared):
    root, store = prepared
    one, two, three, four = root.names
    frames_file(store, one).unlink()
    for path in (frames_file(store, two), masks_file(store, "boxes", three)):
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
    half(masks_file(store, "boxes", four))
    (store / JOURNAL).touch()
    (store / "frames" / ".x.npy.7.part").touch()
    problems = look(root, store).problems
    assert len(problems) == 6
    assert "a preparation was interrupted" in problems[0]
    assert "half-written and never used" in problems[1]
    assert f"frames/{one}.npy is missing: run `fbm prepare` again" in problems[2]
    assert f"frames/{two}.npy is not what was stored" in problems[3]
    assert f"masks/boxes/{three}.npy is not what was stored" in problems[4]
    assert re.search(f"masks/boxes/{four}.npy has .* bytes in place of .*: run `fbm prepare` again", problems[5])


def test_broken_rows_and_a_changed_manifest_are_found(prepared):
    root, store = prepared
    half(root.video(1))
    prepare(Preparation(UCF101(root.path), BoxMasks(root.path), "boxes", store, SIZE, 1, 60))
    problems = look(root, store).problems
    assert [problem.split(": ")[1] for problem in problems] == ["short", "not usable, short"]
    manifest = store / MANIFEST
    manifest.write_text(manifest.read_text().replace('"split": "test"', '"split": "train"'))
    assert "changed by hand" in look(root, store).problems[-1]


def test_a_store_alone_can_be_looked_at(prepared):
    root, store = prepared
    frames_file(store, root.names[0]).unlink()
    found = check_data(None, None, store)
    assert len(found.problems) == 1
    assert "listed" not in found.summary


def test_what_the_doctor_advises_mends_the_store(prepared):
    root, store = prepared
    path = frames_file(store, root.names[0])
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert "delete it and run `fbm prepare` again" in look(root, store).problems[0]
    path.unlink()
    prepare(Preparation(UCF101(root.path), BoxMasks(root.path), "boxes", store, SIZE, 1, 60))
    assert look(root, store).problems == []


def test_folders_are_looked_at_and_what_is_left_out_is_no_problem(small_root, tmp_path):
    place, store = small_root.path / "UCF-101", tmp_path / "store"
    shutil.copy(small_root.video(0), place / "copy.avi")
    (place / "notes.avi").write_text("no video\n" * 9)
    half(small_root.video(1))
    (place / "cut.mp4").write_bytes(b"\0\0\0\x18ftypisom" + bytes(99))
    source = Folders([place], test_videos="keep")
    problems = check_data(source, None, store).problems
    assert [problem.split(": ")[:2] for problem in problems] == [
        ["UCF-101/cut.mp4", "undecodable"],
        ["UCF-101/Bounce/v_Bounce_g02_c01", "short"],
    ]
    prepare(Preparation(source, None, "none", store, SIZE, 1, 60))
    found = check_data(source, None, store)
    assert [problem.split(": ")[1] for problem in found.problems[2:]] == [
        "not usable, undecodable",
        "not usable, short",
    ]
    assert found.summary.startswith("5 videos listed, 2 files left out, 0 more files")


@pytest.mark.parametrize("kind", ["jpeg", "files"])
def test_stores_of_other_kinds_are_checked_whole(small_root, tmp_path, kind):
    source, store = UCF101(small_root.path), tmp_path / "store"
    prepare(Preparation(source, None, "none", store, SIZE, 1, 600, frames=kind))
    assert not check_data(source, None, store).problems
    name = small_root.names[1]
    path = small_root.video(1) if kind == "files" else frames_file(store, name)
    stat, content = path.stat(), bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    (problem,) = check_data(None, None, store).problems
    assert problem.startswith(f"{name}: {path} is not ")
    path.unlink()
    (problem,) = check_data(None, None, store).problems
    assert "is missing: " in problem


def test_what_reading_from_videos_costs_is_said(small_root, tmp_path, capsys):
    prepare(Preparation(UCF101(small_root.path), None, "none", tmp_path / "store", SIZE, 1, 600, frames="files"))
    assert fbm("doctor", "data=ucf101", f"data.store={tmp_path / 'store'}", "masks=none") == 0
    assert "data.frames=files: a process decodes about" in capsys.readouterr().out
