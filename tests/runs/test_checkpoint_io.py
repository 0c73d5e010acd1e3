"""Checkpoints on the disk: whole or not at all, and read without running anything."""

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from fbm.runs.checkpoint_io import AtomicCheckpointIO
from fbm.utils.errors import UserError
from fbm.utils.files import describe_write_error
from tests.runs.test_checkpoints import Command, carried

CONTENT: dict[str, Any] = {"state_dict": {"weight": torch.arange(50_000.0)}, "fbm": carried()}


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file of this process may grow beyond so many bytes, as on a disk that is nearly full."""
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_what_is_saved_is_loaded(tmp_path):
    path = tmp_path / "checkpoints" / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint(CONTENT, path)
    loaded = AtomicCheckpointIO().load_checkpoint(path)
    assert torch.equal(loaded["state_dict"]["weight"], CONTENT["state_dict"]["weight"])
    assert loaded["fbm"] == CONTENT["fbm"]


@pytest.mark.parametrize("room", [0, 1_000, 100_000, 200_000])
def test_a_disk_that_is_full_leaves_the_older_one_as_it_was(tmp_path, room):
    path = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint(CONTENT, path)
    before = path.read_bytes()
    other = {**CONTENT, "state_dict": {"weight": torch.zeros(60_000)}}
    with room_for(room), pytest.raises(OSError, match="too large") as caught:
        AtomicCheckpointIO().save_checkpoint(other, path)
    assert "last.ckpt cannot be written" in str(describe_write_error(caught.value))
    assert path.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]


def test_what_cannot_be_saved_at_all_is_our_fault_and_leaves_nothing(tmp_path):
    with pytest.raises(Exception, match="pickle"):
        AtomicCheckpointIO().save_checkpoint({**CONTENT, "hook": lambda: None}, tmp_path / "last.ckpt")
    assert [path.name for path in tmp_path.iterdir()] == []


def test_it_is_read_weights_only_whatever_is_asked_for(tmp_path):
    torch.save({**CONTENT, "fbm": {**carried(), "trap": Command(tmp_path / "ran")}}, tmp_path / "last.ckpt")
    with pytest.raises(UserError, match=r"last\.ckpt refused"):
        AtomicCheckpointIO().load_checkpoint(tmp_path / "last.ckpt", weights_only=False)
    assert not (tmp_path / "ran").exists()


def test_other_folders_are_made_and_files_removed(tmp_path: Path):
    checkpoints = AtomicCheckpointIO()
    checkpoints.save_checkpoint(CONTENT, tmp_path / "a" / "b.ckpt")
    checkpoints.remove_checkpoint(tmp_path / "a" / "b.ckpt")
    assert not (tmp_path / "a" / "b.ckpt").exists()


def training(step: int) -> tuple[torch.Tensor, dict[str, Any]]:
    """A weight that training goes on to change, and a checkpoint as the trainer gives it."""
    weight = torch.full((3,), float(step))
    more = {"optimizer_states": [{}], "loops": {}, "callbacks": {}, "epoch": step, "global_step": step}
    return weight, {"state_dict": {"weight": weight}, "fbm": carried(), "pytorch-lightning_version": "2", **more}


@pytest.mark.parametrize("together", [True, False])
def test_the_best_is_weights_alone(tmp_path, together):
    checkpoints = AtomicCheckpointIO(together)
    checkpoints.save_checkpoint(training(4)[1], tmp_path / "best.ckpt")
    checkpoints.teardown()
    read = checkpoints.load_checkpoint(tmp_path / "best.ckpt")
    assert read.keys() == {"state_dict", "fbm", "epoch", "global_step", "pytorch-lightning_version"}
    assert (read["epoch"], read["state_dict"]["weight"].tolist()) == (4, [4.0] * 3)


def test_the_best_is_written_with_the_next_other_and_before_it(tmp_path):
    checkpoints, order = AtomicCheckpointIO(together=True), []
    best, last = tmp_path / "best.ckpt", tmp_path / "last.ckpt"
    for step in (1, 2):
        weight, content = training(step)
        checkpoints.save_checkpoint(content, best)
        weight += 100  # as the next step does
        assert not best.exists()
    _, content = training(3)
    content["fbm"]["metrics"] = Looked(lambda: order.append(best.exists()))
    with pytest.raises(Exception, match="pickle"):
        checkpoints.save_checkpoint(content, last)
    assert order == [True]
    assert not last.exists()
    checkpoints.save_checkpoint(training(3)[1], last)
    assert checkpoints.load_checkpoint(best)["state_dict"]["weight"].tolist() == [2.0] * 3
    before = best.stat().st_mtime_ns
    checkpoints.save_checkpoint(training(4)[1], last)
    checkpoints.teardown()
    assert best.stat().st_mtime_ns == before  # it is there already


class Looked:
    """What cannot be saved, and says so when that is tried."""

    def __init__(self, look: Any) -> None:
        self.look = look

    def __reduce__(self) -> Any:
        self.look()
        raise ValueError("no pickle")


def test_without_room_the_older_best_stays_and_the_newer_can_still_be_written(tmp_path):
    checkpoints, best = AtomicCheckpointIO(together=True), tmp_path / "best.ckpt"
    checkpoints.save_checkpoint(training(1)[1], best)
    checkpoints.teardown()
    before = best.read_bytes()
    checkpoints.save_checkpoint(training(2)[1], best)
    with room_for(100), pytest.raises(OSError, match="too large"):
        checkpoints.save_checkpoint(training(3)[1], tmp_path / "last.ckpt")
    assert best.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["best.ckpt"]
    checkpoints.teardown()
    assert checkpoints.load_checkpoint(best)["epoch"] == 2


def test_what_is_removed_is_not_written_any_more(tmp_path):
    checkpoints = AtomicCheckpointIO(together=True)
    checkpoints.save_checkpoint(training(1)[1], tmp_path / "best.ckpt")
    checkpoints.remove_checkpoint(tmp_path / "best.ckpt")
    checkpoints.teardown()
    assert list(tmp_path.iterdir()) == []
