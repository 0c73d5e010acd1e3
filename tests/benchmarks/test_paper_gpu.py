"""The study at the paper's size: what is packed, how many epochs fit, when it ends, and all of it in tiny."""

import json
import signal
import sys
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra.core.hydra_config import HydraConfig

from fbm.data.datasets.ucf101 import UCF101
from fbm.data.masks.files import FileMasks
from fbm.data.store.frame_store import FrameStore
from fbm.data.store.preparation import Preparation
from fbm.data.store.prepare import prepare
from fbm.study.estimate import Cost
from fbm.study.job import Job
from fbm.utils.errors import UserError
from tests.scripts import load_script
from tests.tiny import make_store

CLASSES = ["Bounce", "Orbit"]


PACK, RUN = load_script("paper_gpu/pack.py"), load_script("paper_gpu/run.py")


def content_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def here(tmp_path, monkeypatch) -> Iterator[None]:
    """A working directory of its own, for what runs commands in this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    yield
    HydraConfig.instance().cfg = None


@pytest.fixture(scope="module")
def packed(demo_store, tmp_path_factory) -> Path:
    """Ten videos of two classes: of each three training groups, one for validation and one for the test."""
    out: Path = tmp_path_factory.mktemp("packed") / "pack"
    PACK.pack(demo_store, out, CLASSES, 18)
    return out


def test_the_same_store_gives_the_same_bytes(packed, demo_store, tmp_path):
    PACK.pack(demo_store, tmp_path / "again", CLASSES, 18)
    assert content_of(tmp_path / "again") == content_of(packed)
    PACK.pack(demo_store, tmp_path / "again", CLASSES[:1], 40)  # in its place
    content = json.loads((tmp_path / "again" / "pack.json").read_text())
    assert {name.split("/")[0] for name, *_ in content["videos"]} == {"Bounce"}
    assert sum(content["bytes"].values()) < sum(json.loads((packed / "pack.json").read_text())["bytes"].values())
    assert [path.name for path in tmp_path.iterdir()] == ["again"]


def test_encoding_a_video_many_times_gives_one_file(demo_store, tmp_path):
    """x264's processor-specific routines gave several, so that the test above failed now and then."""
    files = set()
    for _ in range(24):
        PACK.pack(demo_store, tmp_path / "pack", CLASSES, 18)
        files |= {path.read_bytes() for path in (tmp_path / "pack" / "UCF-101").rglob("*.avi")}
    assert len(files) == 10


def test_what_is_packed_comes_out_with_its_splits_its_frames_and_its_masks(packed, demo_store, tmp_path):
    prepared = prepare(
        Preparation(UCF101(packed), FileMasks(packed), "files", tmp_path / "store", 32, workers=2, timeout=600)
    )
    before, after = FrameStore(demo_store), FrameStore(tmp_path / "store")
    whole = [video for video in before.usable if video.action in CLASSES]
    assert [(v.name, v.split, v.frames, v.masked_frames) for v in after.usable] == [
        (v.name, v.split, v.frames, v.masked_frames) for v in whole
    ]
    assert {video.split for video in whole} == {"train", "val", "test"}
    splits: dict[tuple[str, int], set[str]] = {}
    for video in prepared.manifest.videos:
        splits.setdefault((video.action, video.group), set()).add(video.split)
    assert all(len(there) == 1 for there in splits.values())
    for video in whole:
        there = slice(0, video.frames)
        assert np.array_equal(before.masks(video.name, there), after.masks(video.name, there))
        first, second = (one.frames(video.name, 0, video.frames).astype(float) for one in (before, after))
        assert 10 * np.log10(255**2 / np.mean((first - second) ** 2)) > 30  # H.264 with half the colour's resolution


def test_what_is_packed_is_listed_and_weighed(demo_store, tmp_path, capsys):
    out = tmp_path / "pack"
    words = [str(demo_store), "--out", str(out), "--classes", "Orbit", "--crf", "30"]
    assert PACK.main(words) == 0
    first, last = capsys.readouterr().out.splitlines()
    frames = sum(video.frames for video in FrameStore(demo_store).usable if video.action == "Orbit")
    assert first == f"Orbit: 3 train, 1 val, 1 test, {frames} frames"
    assert last.startswith(f"{out}: UCF-101 0.0, masks 0.0, ucfTrainTestlist 0.0, checkout ")
    assert last.endswith(" MiB in all")
    assert PACK.main([*words, "--limit", "1"]) == 1
    assert "MiB is more than --limit 1: raise --crf, or name --classes" in capsys.readouterr().err


def test_what_cannot_be_packed_is_one_line(demo_store, tmp_path, capsys):
    unmasked, other = make_store(tmp_path / "unmasked", masks=False), tmp_path / "other"
    other.mkdir()
    for words, said in (
        ([str(unmasked)], "has no masks, which pretraining needs"),
        ([str(demo_store), "--classes", "Orbit,Sit"], "--classes Sit: "),
        ([str(tmp_path / "nowhere")], "no store at "),
        ([str(demo_store), "--crf", "99"], "--crf 99: H.264 has 0, without losses, to 51"),
        ([str(make_store(tmp_path / "unvalidated", val=False))], "no labelled video to pack is in val"),
        ([str(demo_store), "--out", str(other)], "other is there, and is no pack"),
    ):
        assert PACK.main([*words] if "--out" in words else [*words, "--out", str(tmp_path / "out")]) == 1
        (line,) = (line for line in capsys.readouterr().err.splitlines() if line.startswith("pack.py: error: "))
        assert said in line
        assert not (tmp_path / "out").exists()


def job(stage: str, number: int, task: str = "classify") -> Job:
    return Job(stage, "ours", {}, (), Path(f"{stage}{number}"), "", {"task_name": task})


def test_epochs_are_chosen_from_rates_and_the_time_that_is_left():
    jobs = [job("pretrain", 0), job("pretrain", 1), *(job("classify", number) for number in range(9))]
    known = {one.folder: Cost(3.0 if one.stage == "pretrain" else 1.5, 2.0, 0, "") for one in jobs}
    # 2 runs of 4 epochs of 3 s and 9 of 1.5 s are 37.5 s for each of N; all start in 22 s.
    for seconds, epochs in ((0, 1), (-100, 1), (100, 1), (24.5 + 75, 1), (110, 2), (500, 11), (1e6, 31)):
        assert RUN.epochs_that_fit(jobs, known, seconds) == epochs
        taken = sum(known[one.folder].seconds(epochs * (4 if one.stage == "pretrain" else 1)) for one in jobs)
        assert taken <= seconds or epochs == 1
    assert RUN.epochs_that_fit(jobs[2:], known, 500) == 32  # (0.9 * 500 - 9 * 2) / (9 * 1.5)
    assert RUN.epochs_that_fit(jobs[2:], known, 1e6) == 125
    with pytest.raises(UserError, match="how long autoencode take is not known"):
        RUN.epochs_that_fit([*jobs, job("pretrain", 2, "autoencode")], known, 500)


def wait_and_break() -> None:
    """As argparse does when it is interrupted."""
    try:
        threading.Event().wait(600)
    finally:
        raise AttributeError("mine is not whole")


def test_work_is_ended_when_its_time_is_over_and_otherwise_left_alone(capsys):
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGALRM)
    for work in (lambda: threading.Event().wait(600) and None, wait_and_break):
        RUN.until(0.0, work)
        assert capsys.readouterr().out == "the time is over\n"
    done: list[int] = []
    RUN.until(600, lambda: done.append(1))
    assert done == [1]
    assert capsys.readouterr().out == ""
    with pytest.raises(UserError, match="mine"):
        RUN.until(600, lambda: (_ for _ in ()).throw(UserError("mine")))
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGALRM)) == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_pack_that_is_not_whole_is_refused(here, packed, tmp_path, capsys):
    assert RUN.main(["nowhere", "--tiny"]) == 1
    assert "nowhere is no pack" in capsys.readouterr().err
    Path("file").touch()
    assert RUN.main([str(packed), "--tiny", "--out", "file"]) == 1
    assert capsys.readouterr().err.startswith("run.py: error: ")
    content = json.loads((packed / "pack.json").read_text())
    content["videos"][0][2] += 1
    broken = tmp_path / "broken"
    broken.mkdir()
    for name in ("UCF-101", "masks", "ucfTrainTestlist"):
        (broken / name).symlink_to(packed / name)
    (broken / "pack.json").write_text(json.dumps(content))
    assert RUN.main([str(broken), "--tiny"]) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert "broken is damaged or not whole: Bounce/v_Bounce_g01_c01 (test, " in said


def test_when_the_time_is_over_at_once_what_there_is_comes_home(here, packed, capsys):
    times = iter([0.0])
    assert RUN.main([str(packed), "--tiny", "--out", "home"], clock=lambda: next(times, 1000.0)) == 0
    out = capsys.readouterr().out.splitlines()
    assert "the time is over" in out
    assert out[-1].startswith("home: 0 runs finished, 0 not, in ")
    assert sorted(path.name for path in Path("home").iterdir()) == ["results.tar.gz", "summary.json"]
    assert json.loads(Path("home/summary.json").read_text())["finished"] == []


@pytest.mark.slow
def test_all_of_it_in_tiny(here, packed, capsys):
    assert RUN.main([str(packed), "--tiny", "--minutes", "600", "--out", "home"]) == 0
    out = capsys.readouterr().out
    assert "epochs 4 of each pretrain run, 1 of each classify run" in out
    assert "home: 11 runs finished, 0 not, in " in out
    summary: dict[str, Any] = json.loads(Path("home/summary.json").read_text())
    assert summary["epochs"] == {"pretrain": 4, "classify": 4}
    assert set(summary["costs"]) == {"autoencode", "disentangle", "classify"}
    assert all(cost["epoch"] > 0 and cost["bytes"] > 0 for cost in summary["costs"].values())
    assert set(summary["seconds"]) == {"prepare", "measure", "pretrain", "classify"}
    assert "| Pretrained (ours) |" in Path("home/table1.md").read_text()
    assert "Missing seeds" not in Path("home/table1.md").read_text()
    with tarfile.open("home/results.tar.gz") as archive:
        names = archive.getnames()
    assert sum(name.endswith("/metrics.csv") for name in names) == 11 + 5
    assert {"outputs/paper_gpu/report/index.html", "outputs/paper_gpu/study.json"} <= set(names)
    assert not [name for name in names if name.endswith(".ckpt")]

    lost = next(Path("outputs/paper_gpu").glob("classify-ours-seed2*/summary.json"))
    lost.unlink()  # as the end of the time leaves a run
    assert RUN.bring_home(Path("early"), RUN.Study([], 0.0), {}) == (10, 1)
    assert json.loads(Path("early/summary.json").read_text())["missing"] == [lost.parent.name]
    assert "Missing seeds" in Path("early/table1.md").read_text()
