"""Runs of two real ranks, by every way to start them: one folder and one set of metrics for each run.

Each rank costs seconds of a processor: what can be seen with fake ranks is tested in
test_launcher.py and test_supervisor.py.
"""

import signal
import socket
from pathlib import Path

import pytest
import torch
import yaml

from fbm.training.distributed import worker_group
from tests.tiny import fbm, settings
from tests.training.distributed.command import fbm_lines, finish, launcher_variables, ranks_of, start
from tests.training.interrupted import load, rows, summary

BOMB = "+callbacks.bomb._target_=tests.training.distributed.bomb.Bomb"
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "fbm")
# Adam makes a full step of a gradient that is only rounding (some biases before a norm have no other), in whichever
# direction; SGD a step as small as that gradient. So what is compared is the sum over ranks.
SAME_AS_ONE = ("optim._target_=torch.optim.SGD", "+optim.momentum=0.9", "optim.lr=1e-5")

pytestmark = pytest.mark.slow


def base(store: Path) -> list[str]:
    """Settings of a run that one and two ranks do alike, with the small encoder's own norms."""
    alike = [*SAME_AS_ONE, "trainer.max_epochs=2", "data.batch_size=6"]
    return [*settings(store), *alike, "study=s", "task=disentangle", "test=true", "callbacks.last.minutes=null"]


@pytest.fixture(scope="module")
def one(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run by one rank; look, do not touch."""
    folder = tmp_path_factory.mktemp("one")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert fbm("train", *base(store), "name=one") == 0
    return folder / "outputs/s/one"


@pytest.fixture(scope="module")
def two(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run by two ranks, a job of a sweep that torchrun started, after one that failed; look, do not touch."""
    folder = tmp_path_factory.mktemp("two")
    bomb = [BOMB, "+callbacks.bomb.how=raise", "+callbacks.bomb.seed=1"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        process = start("train", "-m", "seed=1,0", *base(store), "trainer=ddp_cpu", *bomb, launcher=TORCHRUN)
        code, out, err = finish(process)
    assert code == 1, err
    (line,) = fbm_lines(err)
    assert "rank 1 of 2: KeyError: 'the fuse'" in line
    assert out.count("2 ranks, 3 of a step's 6 clips each") == 2
    assert not ranks_of(folder)
    (failed,) = folder.glob("outputs/s/*/failure.txt")
    assert "KeyError: 'the fuse'" in failed.read_text()
    (finished,) = folder.glob("outputs/s/*/summary.json")
    assert finished.parent != failed.parent
    return finished.parent


@pytest.fixture
def unused_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


# --- two ranks and one


def test_one_folder_and_one_set_of_metrics(one, two):
    files = [{path.name for path in run.iterdir()} - {".hydra"} for run in (one, two)]
    assert files[1] - files[0] == {"ranks"}
    assert files[0] - files[1] == set()
    assert [path.name for path in (two / "ranks").iterdir()] == ["rank1.log"]
    assert len(rows(two)) == len(rows(one))
    assert summary(two)["seed"] == 0
    assert summary(two)["hardware"]["ranks"] == 2


def test_two_ranks_measure_what_one_does(one, two):
    metrics = [summary(run)["metrics"] for run in (one, two)]
    names = [{name for name in measured if not name.startswith("time/")} for measured in metrics]
    assert names[0] == names[1]
    assert {"train/loss", "val/loss", "test/loss", "test/psnr_last_foreground"} <= names[0]
    for name in names[0]:
        tolerance = 1e-4 if "psnr" in name else 1e-5  # dB
        assert metrics[1][name] == pytest.approx(metrics[0][name], abs=tolerance, nan_ok=True), name


def test_two_ranks_learn_what_one_does(one, two):
    weights = [load(run, "last")["state_dict"] for run in (one, two)]
    assert weights[0].keys() == weights[1].keys()
    for key, value in weights[0].items():
        assert torch.allclose(value.float(), weights[1][key].float(), atol=1e-4), key


def test_the_config_on_disk_is_the_resolved_one(two):
    assert yaml.safe_load((two / "config.yaml").read_text())["trainer"]["devices"] == 2


# --- interruptions


def test_interrupted_ranks_save_and_resume_exactly(store, two, tmp_path, monkeypatch, capfd):
    """Warned as SLURM does it, and started again: bit for bit what was never interrupted."""
    monkeypatch.chdir(tmp_path)
    bomb = [BOMB, "+callbacks.bomb.how=signal", "+callbacks.bomb.step=2"]
    command = ["train", *base(store), "trainer=ddp_cpu", "name=run", *bomb]
    run = Path("outputs/s/run")
    before = launcher_variables()
    assert fbm(*command) == 128 + signal.SIGUSR1
    (line,) = fbm_lines(capfd.readouterr().err)
    assert "SIGUSR1" in line
    assert 0 < load(run, "last")["global_step"] < 6
    assert not (run / "summary.json").exists()
    assert not ranks_of(tmp_path)

    assert fbm(*command) == 0
    assert summary(run)["resumed"] == 1
    assert load(run, "last")["global_step"] == load(two, "last")["global_step"] == 6
    weights = load(run, "last")["state_dict"]
    assert all(torch.equal(weights[key], value) for key, value in load(two, "last")["state_dict"].items())
    assert rows(run) == rows(two)
    assert launcher_variables() == before
    assert not torch.distributed.is_initialized()

    monkeypatch.setattr(worker_group, "COMMAND", ("false",))
    assert fbm(*command) == 0  # it is finished: no rank is started
    assert "2 ranks" not in capfd.readouterr().out.splitlines()[-1]


# --- several processes


def test_the_same_command_on_two_machines(store, tmp_path, monkeypatch, unused_port):
    """Two machines with a rank each, here both this one."""
    monkeypatch.chdir(tmp_path)
    variables = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": unused_port}
    nodes = ["trainer=ddp_cpu", "trainer.devices=1", "trainer.num_nodes=2"]
    command = ["train", *settings(store), *nodes, "task=classify", "study=s", "name=run"]
    started = [start(*command, env={**variables, "NODE_RANK": node}) for node in ("1", "0")]
    ended = [finish(process) for process in started]
    assert [code for code, _, _ in ended] == [0, 0], ended
    hardware = summary(Path("outputs/s/run"))["hardware"]
    assert (hardware["ranks"], hardware["nodes"]) == (2, 2)


def test_a_study_by_the_tasks_of_srun(store, tmp_path, monkeypatch, unused_port):
    monkeypatch.chdir(tmp_path)
    Path("mine/sweep").mkdir(parents=True)
    Path("mine/sweep/mine.yaml").write_text(
        "# @package _global_\nstudy: s\nanalyse: false\nreport: false\nclassify:\n  over: {init: [random]}\n"
    )
    command = ["study", "mine", *settings(store), "trainer=ddp_cpu"]
    variables = {"NTASKS": "2", "NTASKS_PER_NODE": "2", "NODEID": "0", "JOB_NAME": "fbm", "JOB_ID": "1"}
    variables |= {"STEP_ID": "0", "JOB_NODELIST": "127.0.0.1"}
    slurm = {f"SLURM_{key}": value for key, value in variables.items()} | {"MASTER_PORT": unused_port}
    started = [start(*command, env={**slurm, "SLURM_PROCID": task, "SLURM_LOCALID": task}) for task in ("0", "1")]
    ended = [finish(process) for process in started]
    assert [code for code, _, _ in ended] == [0, 0], ended
    (run,) = Path("outputs/s").glob("*/summary.json")
    assert summary(run.parent)["hardware"]["ranks"] == 2
    assert "2 ranks" in ended[0][1]
    assert ended[1][1] == ""  # only the first prints
