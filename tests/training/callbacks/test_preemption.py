"""When a run is saved, and what it says when asked to leave. Exact resume: tests/training/test_exact_resume.py."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from fbm.config.compose import compose
from fbm.data.clips import ClipDataset
from fbm.runs import checkpoint_io
from fbm.runs.checkpoint_io import AtomicCheckpointIO
from fbm.training.callbacks import PreemptionCheckpoint
from fbm.training.callbacks.preemption import RESUME
from fbm.training.launch import run_training
from fbm.utils.errors import Stopped, UserError
from tests.tiny import settings
from tests.training.interrupted import Moment, end_at, pass_minutes

pytestmark = pytest.mark.slow


@pytest.fixture
def saves(store, tmp_path, monkeypatch):
    """Trains two epochs of four steps; gives the places at which `last.ckpt` was saved."""
    monkeypatch.chdir(tmp_path)
    places: list[str] = []
    real = AtomicCheckpointIO.save_checkpoint

    def save(self: AtomicCheckpointIO, checkpoint: dict[str, Any], path: Path, **more: Any) -> None:
        if Path(path).name == "last.ckpt":
            places.append(checkpoint[RESUME]["told"])
        real(self, checkpoint, path, **more)

    monkeypatch.setattr(AtomicCheckpointIO, "save_checkpoint", save)

    def run(*more: str) -> list[str]:
        few = ("task=classify", "data.batch_size=4", "trainer.max_epochs=2", "name=run", "callbacks.gallery=null")
        run_training(compose(settings(store, *few, *more)))
        return places

    return run


def steps(*numbers: int, epochs: tuple[int, ...] = (1, 2)) -> list[str]:
    """As the places would be, with epochs' starts and the end between them."""
    ends = {1: "epoch 1", 2: "the training"}
    return [place for epoch in epochs for place in (*(f"step {n} of epoch {epoch}" for n in numbers), ends[epoch])]


@pytest.mark.parametrize(
    ("more", "places"),
    [
        (("callbacks.last.minutes=null",), steps()),
        ((), ["the training"]),  # five minutes are not over
        (("callbacks.last.minutes=0",), steps(1, 2, 3)),
        (("callbacks.last.minutes=0", "trainer.accumulate_grad_batches=2"), steps(2)),
        (("callbacks.last.minutes=0", "trainer.accumulate_grad_batches=3"), steps(3)),
        (("callbacks.last.minutes=0", "+trainer.val_check_interval=0.5"), steps(1, 3)),
        (("callbacks.last.minutes=0", "+trainer.val_check_interval=0.7", "data.batch_size=6"), steps(1)),  # 3 steps
        (("callbacks.last.minutes=0", "+trainer.max_steps=6"), [*steps(1, 2, 3, epochs=(1,)), *steps(1)[2:]]),
    ],
)
def test_where_it_is_saved(saves, more, places):
    assert saves(*more) == places


def test_every_so_many_minutes(saves, monkeypatch):
    pass_minutes(monkeypatch, 2)
    assert saves("callbacks.last.minutes=5") == ["step 3 of epoch 1", "step 2 of epoch 2", "the training"]


def test_an_epochs_start_is_saved_when_the_time_is_up(saves, monkeypatch):
    pass_minutes(monkeypatch, 10, "on_train_epoch_start")
    assert saves("callbacks.last.minutes=15", "trainer.max_epochs=4") == ["epoch 1", "epoch 3", "the training"]


def test_many_short_epochs_do_not_write_much(saves, monkeypatch):
    """Twenty epochs of three steps, of which many are better than any before: three large files' worth at most."""
    written: list[tuple[str, int]] = []
    real = checkpoint_io._write

    def write(checkpoint: dict[str, Any], path: Path) -> None:
        real(checkpoint, path)
        written.append((path.name, path.stat().st_size))

    monkeypatch.setattr(checkpoint_io, "_write", write)
    better: list[Any] = []
    kept = checkpoint_io._kept

    def keep(value: Any) -> Any:
        better.append(value)
        return kept(value)

    monkeypatch.setattr(checkpoint_io, "_kept", keep)
    assert saves("task=autoencode", "data.batch_size=6", "trainer.max_epochs=20") == ["the training"]
    last = torch.load("outputs/demo/run/checkpoints/last.ckpt", weights_only=True)
    assert last["global_step"] == 60
    assert len(better) >= 5 * len(last["state_dict"])
    assert [name for name, _ in written] == ["best.ckpt", "last.ckpt"]
    assert sum(size for _, size in written) < 3 * written[-1][1]


def test_minutes_that_are_none(tmp_path):
    with pytest.raises(UserError, match=r"callbacks\.last\.minutes=-1 must be at least 0, or null"):
        PreemptionCheckpoint(tmp_path, -1)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("trainer.accumulate_grad_batches=2",), "SIGTERM: saved after step 2 of epoch 1; the same command resumes th"),
        (("resume=none",), "SIGTERM: saved after step 1 of epoch 1; the same command with resume=auto resumes there"),
    ],
)
def test_asked_to_leave_at_the_first_step(saves, monkeypatch, more, said):
    end_at(monkeypatch, Moment("on_train_batch_start", 0, 0), lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(Stopped) as caught:
        saves(*more)
    assert str(caught.value).startswith(said)
    assert caught.value.signum == signal.SIGTERM


def test_a_data_worker_that_left_first_is_no_failure(saves, monkeypatch):
    def leave(*_: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        raise RuntimeError("DataLoader worker (pid 1) is killed by signal: Terminated.")

    monkeypatch.setattr(ClipDataset, "batch", leave)
    with pytest.raises(Stopped, match="SIGTERM: nothing is saved yet; the same command starts over"):
        saves()
    assert not Path("outputs/demo/run/failure.txt").exists()


def test_the_same_error_without_a_signal_is_one(saves, monkeypatch):
    def fail(*_: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(ClipDataset, "batch", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        saves()
    assert Path("outputs/demo/run/failure.txt").read_text().rstrip().endswith("a bug")
