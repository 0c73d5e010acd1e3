"""What can happen to `fbm train`, told in one line: see docs/faults.md. Disks and stores have files of their own."""

import json
import os
import pickle
import shutil
import subprocess
import sys

import pytest
import torch

from fbm.data.batch import ClipBatch
from fbm.runs.checkpoints import read_checkpoint
from fbm.tasks.task import Task
from fbm.utils.files import exclusive_lock
from tests.tiny import fbm, only_error, settings
from tests.training.interrupted import Moment, end_at


def train(store, folder, capsys, *more):
    """Gives the exit status and the last line of standard error, without our prefix."""
    capsys.readouterr()
    status = fbm("train", *settings(store, f"run_dir={folder}", *more))
    lines = capsys.readouterr().err.splitlines()
    return status, only_error(lines[-1]) if lines else ""


@pytest.fixture(scope="module")
def finished(store, tmp_path_factory):
    """A finished run of one epoch. Look, do not touch."""
    run = tmp_path_factory.mktemp("finished") / "run"
    assert fbm("train", *settings(store, f"run_dir={run}", "name=run")) == 0
    return run


# --- two runs and one folder


def test_a_folder_that_another_run_holds_is_refused_and_left_alone(store, finished, tmp_path, capsys):
    run = shutil.copytree(finished, tmp_path / "run")
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file() and ".hydra" not in path.parts}
    with exclusive_lock(run, "the run folder"):
        status, said = train(store, run, capsys, "overwrite=true")
    assert (status, said) == (
        1,
        f"the run folder {run} is in use by another fbm: wait for it, or choose another folder",
    )
    assert {path: path.read_bytes() for path in before} == before


# --- a loss that is no number


def test_a_loss_that_is_no_number_names_terms_and_clips_and_keeps_the_last_good_checkpoint(store, tmp_path, capsys):
    run = tmp_path / "run"
    status, said = train(store, run, capsys, "optim.lr=1e30", "trainer.max_epochs=3", "callbacks.last.minutes=0")
    assert status == 1
    assert said.startswith("the loss is not finite in step 2 of epoch 1 (loss is ")
    assert f"the batch's clips are in {run}/bad_batch.json" in said
    assert f"the last good checkpoint is {run}/checkpoints/last.ckpt" in said
    told = json.loads((run / "bad_batch.json").read_text())
    assert len(told["clips"]) == 8
    assert "loss" in told["not_finite"]
    kept = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    assert all(value.isfinite().all() for value in kept["state_dict"].values())
    assert not (run / "summary.json").exists()


def test_the_best_weights_that_were_in_memory_are_kept_when_a_later_loss_is_no_number(
    store, tmp_path, capsys, monkeypatch
):
    run, real = tmp_path / "run", Task.inputs

    def inputs(task: Task, batch: ClipBatch) -> tuple[torch.Tensor, torch.Tensor]:
        clip, masks = real(task, batch)
        return (clip * torch.nan if task.training and task.current_epoch == 2 else clip), masks

    monkeypatch.setattr(Task, "inputs", inputs)
    status, said = train(store, run, capsys, "trainer.max_epochs=3")
    assert status == 1
    assert "the loss is not finite in step 1 of epoch 3" in said
    assert f"the last good checkpoint is {run}/checkpoints/best.ckpt" in said
    kept = read_checkpoint(run / "checkpoints" / "best.ckpt")
    assert kept["fbm"]["epoch"] in (0, 1)
    assert all(value.isfinite().all() for value in kept["state_dict"].values())


# --- no memory left

LIMITED = """
import resource, sys
import fbm.training.train
from fbm.cli.main import main
taken = int(open("/proc/self/statm").read().split()[0]) * 4096
resource.setrlimit(resource.RLIMIT_AS, (taken + 2**29,) * 2)
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("more", [["encoder.width=1024"], ["encoder.width=32", "data.batch_size=18"]])
def test_when_the_processors_memory_ends_in_building_or_in_training(store, tmp_path, more):
    run = tmp_path / "run"
    settings_here = settings(store, f"run_dir={run}", *more)
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, "train", *settings_here], capture_output=True, text=True, timeout=600
    )
    said = only_error(done.stderr.splitlines()[-1])
    assert done.returncode == 1
    assert said.startswith("out of memory in main memory")
    for key in ("data.batch_size", "trainer.accumulate_grad_batches", "encoder.width", "data.size"):
        assert key in said


def test_when_a_gpus_memory_ends(store, tmp_path, monkeypatch, capsys):
    def no_memory():
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of")

    end_at(monkeypatch, Moment("on_train_batch_start", 0, 1), how=no_memory)
    status, said = train(store, tmp_path / "run", capsys)
    assert status == 1
    assert said.startswith("out of memory on the GPU (2.50 GiB more were asked for): lower data.batch_size")


TINY_SHM = """
mount -t tmpfs -o size=64k tmpfs /dev/shm || exit 77
exec "$@"
"""


@pytest.mark.slow
def test_a_tiny_shared_memory_is_one_line_and_without_workers_none_is_needed(store, tmp_path):
    run = tmp_path / "run"
    unshare = ["unshare", "--mount", "--propagation", "private", "sh", "-c", TINY_SHM, "sh"]
    program = [*unshare, sys.executable, "-m", "fbm", "train", *settings(store, f"run_dir={run}", "task=classify")]
    try:
        done = subprocess.run([*program, "data.num_workers=2"], capture_output=True, text=True, timeout=600)
    except FileNotFoundError:
        pytest.skip("there is no unshare here")
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("file systems cannot be mounted here (not root)")
    assert done.returncode == 1
    assert only_error(done.stderr).startswith(
        "no shared memory left at /dev/shm (it holds 0.0625 MiB), where loader processes"
    )
    again = subprocess.run([*program, "data.num_workers=0"], capture_output=True, text=True, timeout=600)
    assert again.returncode == 0, again.stderr
    assert (run / "summary.json").is_file()


# --- checkpoints that are none


class Command:
    def __reduce__(self):
        return os.mkdir, ("ran",)


def truncated(path, good):
    path.write_bytes(good.read_bytes()[:-1000])


def flipped(path, good):
    content = bytearray(good.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def empty(path, good):
    path.write_bytes(b"")


def foreign(path, good):
    torch.save({"model": {"weight": torch.ones(3)}}, path)


def with_code(path, good):
    torch.save({**torch.load(good, weights_only=True), "callbacks": Command()}, path)


def bare_pickle(path, good):
    path.write_bytes(pickle.dumps(Command()))


def text(path, good):
    path.write_text("no checkpoint\n")


BAD = {
    truncated: "cannot be read as a checkpoint: it is cut short",
    flipped: "is damaged: its part",
    empty: "cannot be read as a checkpoint",
    foreign: "is not a checkpoint that fbm made",
    with_code: "refused: it holds more than weights and plain values",
    bare_pickle: "refused: it holds more than weights and plain values",
    text: "refused|cannot be read",
}
ASKED = {
    "its own last.ckpt": [],
    "resume=": ["resume={}"],
    "init.checkpoint=": ["task=classify", "init=ours", "init.checkpoint={}"],
}


@pytest.mark.parametrize("make", BAD, ids=lambda make: make.__name__)
@pytest.mark.parametrize("asked", ASKED)
def test_a_bad_checkpoint_is_named_and_nothing_in_it_is_run(
    store, finished, tmp_path, monkeypatch, capsys, make, asked
):
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "run"
    if asked == "its own last.ckpt":
        shutil.copytree(finished, run)
        (run / "summary.json").unlink()
    path = run / "checkpoints" / "last.ckpt" if not ASKED[asked] else tmp_path / "bad.ckpt"
    make(path, finished / "checkpoints" / "last.ckpt")
    status, said = train(store, run, capsys, "name=run", *(setting.format(path) for setting in ASKED[asked]))
    assert status == 1
    assert str(path) in said
    assert any(words in said for words in BAD[make].split("|")), said
    assert ("resume=none" in said) == (not ASKED[asked])
    assert not (tmp_path / "ran").exists()


def test_the_bait_would_have_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bare_pickle(tmp_path / "bait", None)
    pickle.loads((tmp_path / "bait").read_bytes())
    assert (tmp_path / "ran").is_dir()
