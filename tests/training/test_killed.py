"""Processes that are really killed, or asked to leave: what they leave, and what the same command makes of it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests import processes
from tests.tiny import fbm, settings
from tests.training.interrupted import Moment, assert_same, end_at, summary
from tests.training.loggers.offline import OfflineRun, offline_runs

ROOT = Path(__file__).parents[2]
RUNS = Path("outputs/demo")
CODE = """
import os, signal, sys
from pytest import MonkeyPatch
from fbm.cli.main import main
from tests.training.interrupted import Moment, end_at
end_at(MonkeyPatch(), Moment({moment}), lambda: os.kill(os.getpid(), signal.{signal}))
sys.exit(main(sys.argv[1:]))
"""


def quick(store: Path, *more: str) -> list[str]:
    """Four steps an epoch, of a classification; a later setting of the same key goes before."""
    few = ("task=classify", "data.batch_size=4", "trainer.max_epochs=2", "callbacks.last.minutes=null")
    given = {word.split("=")[0]: word for word in settings(store, *few, *more)}
    return list(given.values())


@pytest.fixture
def asked(store, tmp_path, monkeypatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    return quick(store)


def elsewhere(signum: str, moment: str, asked: list[str]) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, which is sent a signal at a moment."""
    code = CODE.format(moment=moment, signal=signum)
    own = {key: value for key, value in os.environ.items() if key != "WANDB_SERVICE"}  # no part of this process's
    environ = {**own, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": str(torch.get_num_threads())}
    command = [sys.executable, "-c", code, "train", *asked]
    return processes.run(command, env=environ, capture_output=True, text=True, timeout=600, check=False)


@pytest.mark.slow
def test_a_killed_process_is_gone_on_with_and_so_are_its_dashboards(store, asked):
    asked = quick(store, "logger=wandb", "test=true", "trainer.max_epochs=3", "callbacks.last.minutes=0")
    assert fbm("train", *asked, "name=alone") == 0
    assert elsewhere("SIGKILL", "'on_train_batch_start', 1, 2", [*asked, "name=run"]).returncode == -signal.SIGKILL
    known = (RUNS / "run" / "wandb_id").read_text().strip()
    assert fbm("train", *asked, "name=run") == 0
    assert_same(RUNS / "run", RUNS / "alone")
    (found,), (other,) = offline_runs(RUNS / "run"), offline_runs(RUNS / "alone")
    assert found.run.run_id == known
    assert len(list((RUNS / "run" / "wandb" / "replaced").glob("1-offline-run-*"))) == 1
    assert history(found) == history(other)
    assert found.series("epoch")[:6] == [0, 0, 1, 1, 2, 2]  # a row of validation, one of training
    assert summary(RUNS / "run")["resumed"] == 1
    assert not list((RUNS / "run").rglob("*.part"))


def history(run: OfflineRun) -> list[dict[str, object]]:
    """The numbers that W&B was told, but for the times, in order; a picture or table has keys with dots."""
    return [
        {key: value for key, value in row.items() if "." not in key and not key.startswith(("time/", "_"))}
        for row in run.history
    ]


@pytest.mark.slow
def test_asked_to_leave_a_process_saves_and_says_where_it_goes_on(asked):
    assert fbm("train", *asked, "name=alone") == 0
    done = elsewhere("SIGTERM", "'on_train_batch_start', 1, 1", [*asked, "name=run"])
    assert (done.returncode, done.stderr.strip().splitlines()[-1]) == (
        128 + signal.SIGTERM,
        "fbm: SIGTERM: saved after step 2 of epoch 2; the same command resumes there",
    )
    assert not (RUNS / "run" / "failure.txt").exists()
    assert fbm("train", *asked, "name=run") == 0
    assert_same(RUNS / "run", RUNS / "alone")


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        (Moment("on_train_batch_start", 0, 1), "saved after step 2 of epoch 1; the same command resumes there"),
        (Moment("on_train_batch_start", 0, 3), "nothing is saved yet; the same command starts over"),  # the last one
        (
            Moment("on_validation_batch_start", 1, 0),
            "stopped at once; the newest save is after epoch 1; the same command ",
        ),
        (Moment("on_train_epoch_end", 0), "saved after epoch 1; the same command resumes there"),
        (Moment("on_train_end", 2), "saved after the training; the same command resumes there"),
        (
            Moment("on_test_batch_start", 2, 0),
            "stopped at once; the newest save is after the training; the same command ",
        ),
    ],
    ids=str,
)
def test_wherever_it_is_asked_to_leave(asked, monkeypatch, capsys, moment, said):
    before = signal.getsignal(signal.SIGUSR1)
    end_at(monkeypatch, moment, lambda: os.kill(os.getpid(), signal.SIGUSR1))
    assert fbm("train", *asked, "name=run", "test=true") == 128 + signal.SIGUSR1
    assert f"fbm: SIGUSR1: {said}" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGUSR1) == before
    assert not (RUNS / "run" / "summary.json").exists()
