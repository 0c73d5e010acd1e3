"""Fake ranks, in an empty folder."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from fbm.training.distributed import worker_group
from fbm.training.distributed.control_store import ControlStore


@pytest.fixture
def control_store() -> ControlStore:
    """A job's store, hosted here."""
    return ControlStore(host=True)


@pytest.fixture
def fake_ranks(tmp_path, monkeypatch) -> Iterator[Callable[..., None]]:
    """Sets what ranks 0, 1, ... do, which are fake ones in an empty folder; those still there in the end are killed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(worker_group, "COMMAND", (sys.executable, "-m", "tests.training.distributed.fake_rank"))

    def set_actions(*actions: str) -> None:
        for rank, action in enumerate(actions):
            monkeypatch.setenv(f"FAKE_RANK_{rank}", action)

    yield set_actions
    for path in tmp_path.glob("pid*"):
        with suppress(ProcessLookupError):
            os.killpg(int(path.read_text()), signal.SIGKILL)
