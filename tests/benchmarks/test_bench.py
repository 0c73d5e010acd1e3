"""`python -m benchmarks` as a whole, on data as small as it goes: what is measured, not how fast it is."""

import json
import runpy
import subprocess
from pathlib import Path

import pytest

from benchmarks import growth, open_files, startup
from benchmarks.made_store import make_store
from benchmarks.result import Result
from benchmarks.rounds import alone
from fbm.data.datasets.ucf101 import UCF101
from fbm.data.store.frame_store import FrameStore
from fbm.utils.errors import UserError
from tests import processes
from tests.tiny import only_error

pytestmark = pytest.mark.slow
TINY = ["encoder.width=4", "data.size=32", "data.batch_size=4", "trainer=cpu"]


def bench(*arguments: str) -> int:
    """`python -m benchmarks` in this process; gives its exit status."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["benchmarks", *arguments])
        with pytest.raises(SystemExit) as ended:
            runpy.run_module("benchmarks", run_name="__main__")
    return int(ended.value.code or 0)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(question: str) -> dict[str, dict[str, list[float]]]:
    """Of each table every row's values, all of them positive."""
    content = json.loads(Path(f"outputs/benchmarks/{question}.json").read_text())
    assert content["command"].startswith(f"python -m benchmarks {question}")
    assert content["versions"]["torch"]
    tables = {table["title"]: {row["name"]: row["values"] for row in table["rows"]} for table in content["tables"]}
    assert all(value > 0 for rows in tables.values() for values in rows.values() for value in values)
    return tables


def test_several_shards_are_compared_with_one_command(here, capfd):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    assert bench("shards", "--videos", "12", "--shards", "2", "--size", "32") == 0, capfd.readouterr().err
    whole, listing = written("shards").values()
    assert {"one command", "2 shards, all at once"} < set(whole)
    assert set(listing) == {"read from the store", "made from the files"}
    assert "All stores have the same manifest" in capfd.readouterr().out


def test_the_loader_is_compared_with_decoders_and_a_memory_copy(here, demo_root, demo_store, capsys):
    given = ["--store", str(demo_store), "--root", str(demo_root), "--batch", "4", "--batches", "2", "--rounds", "2"]
    assert bench("input", *given) == 0
    warm, cold = written("input").values()
    assert {"store, 0 workers", "store, 1 workers", "store, 2 workers", "plain memory copy of the same bytes"} < set(
        warm
    )
    assert {"PyAV, any file", "OpenCV, any file"} < set(warm)
    assert all(len(values) == 2 for values in warm.values())
    assert len(cold) == 1
    assert "| store, 0 workers |" in capsys.readouterr().out


def test_preparation_is_compared_with_decoders_and_with_itself(here, demo_root):
    assert bench("prepare", "--root", str(demo_root), "--files", "2", "--size", "32", "--rounds", "1") == 0
    decoding, storing, together = written("prepare").values()
    assert {"fbm, decode and resize", "PyAV", "OpenCV"} <= set(decoding)
    assert {"fbm, whole preparation: with checksums", "OpenCV, and numpy.save"} <= set(storing)
    assert set(together) == {"fbm prepare, 2 workers", "fbm prepare, 1 workers"}


@pytest.mark.slow
def test_a_step_is_compared_with_other_programs(here, capsys):
    programs = ["--programs", "ours,plain,floor"]  # the bare loop: as the straightforward program, without its data
    assert bench("step", "--tasks", "disentangle", "--steps", "1", "--rounds", "1", *programs, *TINY) == 0
    (rows,) = written("step").values()
    assert len(rows) == 3
    out = capsys.readouterr().out
    assert "disentangle: of the time in operators of one forward and backward pass: " in out
    assert "disentangle: the step needs " in out


@pytest.mark.slow
def test_the_first_step_is_waited_for(here, demo_store, monkeypatch):
    whole = []

    def run(command, real=startup._run):
        if "--cfg" in command or "train" not in command or "--help" in command:
            return 1.0
        whole.append(real(command))
        return whole[-1]

    monkeypatch.setattr(startup, "_run", run)
    settings = [f"data.store={demo_store}", "data.validation=0.1", "task=classify", *TINY]
    assert bench("startup", "--rounds", "1", *settings) == 0
    (rows,) = written("startup").values()
    (first,), (command,) = rows["fbm train, to the end of the first step"], whole
    assert 0 < first < command


def test_a_larger_data_set_is_the_same_videos_under_more_names(demo_root, tmp_path):
    times = growth.linked_root(demo_root, tmp_path / "times", 3)
    small, large = (UCF101(root).videos() for root in (demo_root, times))
    assert len(large) == 3 * len(small)
    assert all(video.path.is_file() for video in large)
    assert {(video.action, video.group, video.split) for video in large} == {
        (video.action, video.group, video.split) for video in small
    }


def test_growth_is_told_by_stage(here, monkeypatch):
    monkeypatch.setattr(growth, "GROUPS", 2)
    monkeypatch.setattr(growth, "TESTED", 1)
    monkeypatch.setattr(growth, "_stages", lambda root: {"stage": (float(len(UCF101(root).videos())), 2**20)})
    result = Result("growth", "python -m benchmarks growth")
    growth.bench_growth([1, 2], 5, 1, result)
    stage, opened = result.tables
    assert [row.values for row in stage.rows] == [[12.0], [24.0]]
    assert [stage.times(row) for row in stage.rows] == [1.0, 2.0]
    assert len(opened.rows[0].values) == 3


@pytest.mark.slow
def test_all_stages_are_measured(demo_root, tmp_path, monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", processes.Popen)  # each stage is a process with everything imported
    found = growth._stages(growth.linked_root(demo_root, tmp_path / "times", 1))
    assert "fbm prepare" in found
    assert all(seconds > 0 for seconds, _ in found.values())
    assert all(most > 2**20 for stage, (_, most) in found.items() if stage.startswith("fbm"))


@pytest.mark.slow
def test_a_store_of_more_files_than_may_be_open_is_compared_with_what_no_limit_gives(here, capsys):
    assert bench("files", "--videos", "200", "--limit", "128", "--batch", "20", "--rounds", "1") == 0
    tables = written("files")
    assert len(tables) == 4
    assert all(title.startswith("200 videos, 400 files, ") for title in tables)
    for rows in tables.values():
        ours, usual, numpys = rows
        assert ours == "ulimit -n 128"
        assert usual.endswith(", the shell's own")
        assert numpys == "numpy.memmap, a descriptor a file: ulimit -n 600"


@pytest.mark.slow
def test_numpys_maps_need_a_descriptor_each(tmp_path):
    """What the peer of the benchmark is there to show, and why it is not what fbm does."""
    store = make_store(tmp_path / "store", 200, 32, 34)
    with pytest.raises(UserError, match="Too many open files"):
        alone(open_files._measure, store, 128, True, 20, 0)
    first, later = alone(open_files._measure, store, 128, False, 20, 0)
    assert first > 0
    assert later > 0


def test_a_made_store_is_a_store(tmp_path):
    store = FrameStore(make_store(tmp_path, videos=20, size=16, frames=34))
    assert len(store.usable) == 20
    assert store.frames(store.usable[19].name, 0, 34).shape == (34, 16, 16, 3)
    assert store.masks(store.usable[19].name, slice(0, 2)).sum() == 2 * 4 * 4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["step", "--programs", "ours,bear"], "--programs bear: no such program; did you mean 'bare'?"),
        (["step", "--programs", "bare"], "--programs bare: it must begin with ours"),
        (["files", "--videos", "10"], "--videos 10: take at least --batch 40, each has one clip"),
        (["growth", "--times", "1,x"], "--times 1,x: numbers with commas between them, like 1,4,16"),
        (
            ["input", "--store", "nowhere", "--root", "nowhere"],
            "no store at nowhere (no such folder): run `fbm prepare`",
        ),
        (["step", "encoder.widht=3"], "no such setting 'encoder.widht'; did you mean 'encoder.width'?"),
    ],
)
def test_bad_input_is_one_line(here, capsys, arguments, said):
    assert bench(*arguments) == 1
    error = capsys.readouterr().err
    assert only_error(error.splitlines()[-1]).startswith(said)


def test_a_root_without_the_stores_videos_and_a_batch_too_large(here, demo_root, demo_store, capsys):
    assert bench("input", "--store", str(demo_store), "--root", "elsewhere") == 1
    assert "avi is not there, and 29 more of the store's videos" in only_error(capsys.readouterr().err)
    assert bench("input", "--store", str(demo_store), "--root", str(demo_root), "--batch", "999") == 1
    assert "--batch 999: the store " in only_error(capsys.readouterr().err)
