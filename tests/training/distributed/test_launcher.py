"""What a launcher makes of its ranks, which are fake ones here."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from fbm.config.compose import compose
from fbm.runs.folder import Run
from fbm.training.distributed import launcher, supervisor, worker_group
from fbm.training.distributed.launcher import is_distributed, launch_ranks, launch_training
from fbm.training.distributed.topology import LauncherEnv, Topology
from fbm.utils.errors import Stopped, UserError
from tests.runs.summaries import run_summary
from tests.tiny import fbm, settings
from tests.training.distributed.command import fbm_lines, launcher_variables


@pytest.fixture
def two(store, fake_ranks, monkeypatch) -> list[str]:
    """Settings of a run of two ranks."""
    monkeypatch.setattr(supervisor, "FAILURE_GRACE", 0.1)
    return [*settings(store), "trainer=ddp_cpu", "task=classify", "study=s"]


def summary_action(value: float) -> str:
    """What a fake rank does that finishes the run with this metric."""
    metrics = {"val/clip_top1": value}
    summary = run_summary(monitor="val/clip_top1", metrics=metrics, best_epoch=0, epochs=1, samples={"test": 0})
    return f"summary {json.dumps(summary.to_dict())}"


def starts(rank: int) -> int:
    return len(Path(f"starts{rank}").read_text())


def summaries() -> list[Path]:
    return list(Path("outputs/s").glob("*/summary.json"))


def refuse(*_: object) -> None:
    pytest.fail("it was called")


# --- whole commands


def test_a_sweep_continues_after_a_job_that_failed_on_one_rank(two, fake_ranks, capfd):
    fake_ranks(f"{summary_action(0.5)} | hang | {summary_action(0.5)}", "exit 0 | exit 3 | exit 0")
    before = launcher_variables()
    assert fbm("train", "-m", "seed=0,1,2", *two) == 1
    assert len(summaries()) == 2
    assert starts(0) == starts(1) == 3
    (line,) = fbm_lines(capfd.readouterr().err)
    assert "rank 1 of 2" in line
    assert launcher_variables() == before
    assert not torch.distributed.is_initialized()


def test_a_search_launches_ranks_for_each_trial_and_gets_its_metric(two, fake_ranks):
    pytest.importorskip("optuna")
    fake_ranks(f"{summary_action(0.25)} | {summary_action(0.75)}", "exit 0 | exit 0")
    search = ["sweeper=optuna", "hydra.sweeper.n_trials=2", "optim.lr=tag(log, interval(1e-4, 1e-2))"]
    assert fbm("train", "-m", *search, *(word for word in two if not word.startswith("optim.lr"))) == 0
    assert starts(0) == starts(1) == 2
    assert "best_value: 0.75" in Path("outputs/s/optimization_results.yaml").read_text()


def test_a_single_rank_with_a_process_group_is_a_process_of_its_own(two, fake_ranks):
    """As `trainer=ddp` on a machine with one GPU."""
    fake_ranks(f"{summary_action(0.5)} | {summary_action(0.5)}")
    before = launcher_variables()
    assert fbm("train", "-m", *two, "trainer.devices=1", "seed=0,1") == 0
    assert starts(0) == len(summaries()) == 2
    assert not Path("starts1").exists()
    assert launcher_variables() == before


def test_a_batch_that_does_not_divide_is_refused_before_any_rank_starts(two, capfd):
    assert fbm("train", *two, "data.batch_size=7", "name=run") == 1
    (line,) = fbm_lines(capfd.readouterr().err)
    assert "data.batch_size=7" in line
    assert not Path("starts0").exists()


def test_several_machines_need_several_processes(two, capsys):
    assert fbm("train", *two, "trainer.num_nodes=2") == 1
    assert "trainer.num_nodes=2" in capsys.readouterr().err
    assert not Path("starts0").exists()


def test_a_batch_script_without_srun_waits_for_nobody(two, monkeypatch, capfd):
    variables = {"NTASKS": "2", "PROCID": "0", "LOCALID": "0", "NODEID": "0", "JOB_ID": "1"}
    for key, value in {**variables, "JOB_NAME": "fbm", "JOB_NODELIST": "127.0.0.1"}.items():
        monkeypatch.setenv(f"SLURM_{key}", value)
    assert fbm("train", *two) == 1
    (line,) = fbm_lines(capfd.readouterr().err)
    assert "srun" in line
    assert summaries() == []


# --- launch_ranks


@pytest.fixture
def config(store, fake_ranks, monkeypatch):
    monkeypatch.setattr(supervisor, "FAILURE_GRACE", 0.1)
    return compose([*settings(store), "trainer=ddp_cpu", "task=classify"])


def test_ranks_that_end_without_a_summary_stop_the_job(config, fake_ranks, tmp_path):
    fake_ranks("exit 0", "exit 0")
    with pytest.raises(Stopped):
        launch_ranks(refuse, config, Run(tmp_path), "id", Topology(2, 1))


def test_the_command_and_the_place_of_a_failed_rank_are_named(config, fake_ranks, tmp_path):
    fake_ranks("hang", "exit 7")
    with pytest.raises(UserError, match=f"{tmp_path}: rank 1 of 2: .* 7 "):
        launch_ranks(refuse, config, Run(tmp_path), "id", Topology(2, 1))


def test_a_machine_that_is_gone_ends_the_job(config, fake_ranks, tmp_path, monkeypatch):
    leader = SimpleNamespace(env=LauncherEnv(0, 2, 0, 0, "127.0.0.1", 7), request=lambda *_: None)
    monkeypatch.setattr(launcher, "coordinator", lambda: leader)
    monkeypatch.setattr(supervisor, "STARTUP_TIMEOUT", 0.1)
    fake_ranks("hang")
    with pytest.raises(UserError, match="process 1 of 2 "):
        launch_ranks(refuse, config, Run(tmp_path), "id", Topology(1, 2))
    assert not Path("starts1").exists()  # it is the other machine's


# --- launch_training


def test_a_rank_is_a_process_where_there_is_a_process_group_or_others_were_started(monkeypatch):
    assert is_distributed(Topology(2, 1), "auto")
    assert is_distributed(Topology(1, 1), "ddp")
    assert not is_distributed(Topology(1, 1), "auto")
    for processes, distributed in ((2, True), (None, False)):
        leader = SimpleNamespace(env=LauncherEnv(0, processes, 0, 0, "a", 7))
        monkeypatch.setattr(launcher, "coordinator", lambda leader=leader: leader)
        assert is_distributed(Topology(1, 1), "auto") is distributed


def test_one_rank_without_a_process_group_is_this_process(store, tmp_path, monkeypatch):
    monkeypatch.setattr(worker_group, "COMMAND", ("false",))
    config = compose([*settings(store), f"run_dir={tmp_path / 'run'}"])
    called = []
    run = launch_training(lambda *arguments: called.append(arguments), config, "id")
    assert called == [(config, run, "id")]


def test_a_follower_has_no_run_and_fails_with_its_leader(store, tmp_path, monkeypatch):
    config = compose([*settings(store), f"run_dir={tmp_path / 'run'}"])
    for exit_status in (0, 1):
        monkeypatch.setattr(launcher, "run_as_leader_or_follower", lambda *_, status=exit_status: status)
        if exit_status:
            with pytest.raises(UserError):
                launch_training(refuse, config, "id")
        else:
            assert launch_training(refuse, config, "id") is None
    assert not (tmp_path / "run").exists()
