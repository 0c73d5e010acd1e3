"""Runs of two ranks, by every way to start them: one folder and one set of metrics a job, nothing left behind."""

import csv
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from fbm.data.store import read_manifest
from tests.tiny import fbm, settings
from tests.training.distributed.command import OUTER, finish, ranks_of, start, summary, told, wait_until

BOMB = "+callbacks.bomb._target_=tests.training.distributed.bomb.Bomb"
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "fbm")
# Adam makes a full step of a gradient that is only rounding (some biases before a norm have no other), in whichever
# direction; SGD a step as small as that gradient. So what is compared is the sum over ranks.
SAME_AS_ONE = ("optim._target_=torch.optim.SGD", "optim.lr=1e-5", "trainer.max_epochs=2", "data.batch_size=6")

pytestmark = pytest.mark.slow


@pytest.fixture
def two(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Settings of a run of two ranks, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return [*settings(store), "trainer=ddp_cpu", "task=classify", "study=s", "callbacks.last.minutes=null"]


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def runs() -> set[str]:
    return {path.parent.name for path in Path("outputs/s").glob("*/summary.json")}


# --- one run


def test_a_sweep_of_single_ranks_leaves_nothing_between_its_jobs(two):
    """As `trainer=ddp` on a machine with one GPU."""
    assert fbm("train", "-m", *two, "trainer.devices=1", "callbacks.probes=null", "seed=0,1") == 0
    assert len(runs()) == 2
    assert not [key for key in os.environ if key.startswith(OUTER)]
    assert not torch.distributed.is_initialized()


TWO = ("name=two", "trainer=ddp_cpu")


def base(store: Path) -> list[str]:
    return [*settings(store), *SAME_AS_ONE, "study=s", "task=disentangle", "test=true"]


@pytest.fixture(scope="module")
def pair(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run by one rank and by two, with the small encoder's own norms, both tested; look, do not touch."""
    folder = tmp_path_factory.mktemp("pair")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert fbm("train", *base(store), "name=one") == 0
        before = dict(os.environ)
        assert fbm("train", *base(store), *TWO) == 0
        assert dict(os.environ) == before
    return folder / "outputs" / "s"


def test_one_folder_and_one_set_of_metrics(pair):
    one, two = ({path.name for path in (pair / name).iterdir()} for name in ("one", "two"))
    assert two - one == {"ranks"}
    assert one - two == set()
    assert [path.name for path in (pair / "two" / "ranks").iterdir()] == ["rank1.log"]
    assert len(rows(pair / "two")) == len(rows(pair / "one"))
    assert summary(pair / "two")["hardware"]["ranks"] == 2


def test_this_process_joined_nothing(pair):
    assert not torch.distributed.is_initialized()


def test_two_ranks_measure_what_one_does(pair):
    one, two = (summary(pair / name)["metrics"] for name in ("one", "two"))
    kept = {name for name in one if not name.startswith("time/")}
    assert kept == {name for name in two if not name.startswith("time/")}
    assert {"train/loss", "val/loss", "test/loss", "test/psnr_last_foreground"} <= kept
    for name in kept:
        tolerance = 1e-4 if "psnr" in name else 1e-5  # dB
        assert two[name] == pytest.approx(one[name], abs=tolerance, nan_ok=True), name


def test_two_ranks_learn_what_one_does(pair):
    one, two = (
        torch.load(pair / name / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for name in ("one", "two")
    )
    assert one.keys() == two.keys()
    for key, value in one.items():
        assert torch.allclose(value.float(), two[key].float(), atol=1e-4), key


def test_the_config_on_disk_is_the_resolved_one(pair):
    assert yaml.safe_load((pair / "two" / "config.yaml").read_text())["trainer"]["devices"] == 2


def test_a_finished_run_starts_no_rank(pair, store, capsys, monkeypatch):
    monkeypatch.chdir(pair.parents[1])
    monkeypatch.setattr("fbm.training.launch.launch_ranks", lambda *_: pytest.fail("ranks were started"))
    assert fbm("train", *base(store), *TWO) == 0
    assert "finished already" in capsys.readouterr().out


def test_a_step_that_cannot_be_shared_out_is_one_line(two, capfd):
    assert fbm("train", *two, "data.batch_size=7", "name=run") == 1
    (line,) = told(capfd.readouterr().err)
    assert "data.batch_size=7" in line
    assert "their number, 2" in line


# --- sweeps


def test_a_sweep_goes_on_after_a_job_that_failed_on_one_rank(two, capfd):
    assert fbm("train", "-m", "seed=0,1,2", *two, BOMB, "+callbacks.bomb.how=raise", "+callbacks.bomb.seed=1") == 1
    names = sorted(runs())
    assert [summary(Path("outputs/s") / name)["seed"] for name in names] == [0, 2]
    (failed,) = {path.name for path in Path("outputs/s").iterdir() if path.is_dir()} - set(names)
    assert "KeyError: 'the fuse'" in (Path("outputs/s") / failed / "failure.txt").read_text()
    lines = told(capfd.readouterr().err)
    assert len(lines) == 1, lines
    assert "rank 1 of 2: KeyError: 'the fuse'" in lines[0]
    prints = [summary(Path("outputs/s") / name)["fingerprints"] for name in names]
    assert prints[0]["config"] == prints[1]["config"]
    assert prints[0]["data"] == prints[1]["data"]
    assert not ranks_of(Path.cwd())


def test_a_search_asks_both_ranks_for_each_trial(two, capfd):
    pytest.importorskip("optuna")
    search = ["sweeper=optuna", "hydra.sweeper.n_trials=2", "optim.lr=tag(log, interval(1e-4, 1e-2))"]
    assert fbm("train", "-m", *search, *(word for word in two if not word.startswith("optim.lr"))) == 0
    found = [summary(Path("outputs/s") / name) for name in runs()]
    assert len(found) == 2
    assert len({result["fingerprints"]["config"] for result in found}) == 2  # two trials, not two ranks' one each
    assert all(result["hardware"]["ranks"] == 2 for result in found)
    best = max(result["metrics"]["val/clip_top1"] for result in found)
    assert f"best_value: {best}" in Path("outputs/s/optimization_results.yaml").read_text()


def test_a_study_trains_with_ranks(two):
    Path("mine/sweep").mkdir(parents=True)
    Path("mine/sweep/mine.yaml").write_text(
        "# @package _global_\nstudy: s\nanalyse: false\nreport: false\nclassify:\n  over: {init: [random]}\n"
    )
    (code, out, err) = finish(start("study", "mine", *(word for word in two if word != "study=s")))
    assert code == 0, err
    assert len(runs()) == 1
    assert "1 runs" in out


# --- started by others


def test_torchrun_sweeps_and_a_job_may_fail(two):
    bomb = [BOMB, "+callbacks.bomb.how=kill", "+callbacks.bomb.seed=0"]
    process = start("train", "-m", "seed=0,1", *two, *bomb, launcher=TORCHRUN)
    code, out, err = finish(process)
    assert code == 1, err
    assert len(runs()) == 1
    lines = told(err)
    assert len(lines) == 1, err
    assert "rank 1 of 2: was killed by SIGKILL" in lines[0]
    assert out.count("2 ranks, 4 of a step's 8 clips each") == 2


def tasks(*arguments: str, first: tuple[str, ...] = (), env: dict[str, str]) -> list[tuple[int, str, str]]:
    """Two processes as `srun` starts them; `first` is said to the first alone."""
    words = {"SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2", "SLURM_NODEID": "0", "SLURM_JOB_NAME": "fbm"}
    words |= {"SLURM_STEP_ID": "0", "SLURM_JOB_NODELIST": "127.0.0.1", **env}
    started = [
        start(*arguments, *(first if task == "0" else ()), env={**words, "SLURM_PROCID": task, "SLURM_LOCALID": task})
        for task in ("0", "1")
    ]
    return [finish(process) for process in started]


def test_srun_starts_a_rank_a_task(two, unused_port):
    ended = tasks("train", *two, "name=run", env={"SLURM_JOB_ID": "1", "MASTER_PORT": unused_port})
    assert [code for code, _, _ in ended] == [0, 0], ended
    assert runs() == {"run"}
    assert "2 ranks" in ended[0][1]
    assert ended[1][1] == ""  # only the first says anything


def test_a_batch_script_without_srun_says_what_is_missing_and_waits_for_nobody(two, unused_port):
    words = {"SLURM_NTASKS": "2", "SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NODEID": "0", "SLURM_JOB_ID": "1"}
    words |= {"SLURM_JOB_NAME": "fbm", "SLURM_JOB_NODELIST": "127.0.0.1", "MASTER_PORT": unused_port}
    code, _, err = finish(start("train", *two, env=words))
    assert code == 1
    (line,) = told(err)
    assert "start it with srun" in line  # who had waited would say that process 1 did not come
    assert runs() == set()


def test_tasks_with_other_settings_stop_the_job(two, unused_port):
    ended = tasks("train", *two, first=("seed=3",), env={"SLURM_JOB_ID": "1", "MASTER_PORT": unused_port})
    assert [code for code, _, _ in ended] == [1, 1], ended
    (line,) = told(ended[0][2])
    assert "process 1 was started with other settings than process 0" in line
    assert runs() == set()


def test_the_same_command_on_two_machines(two, unused_port):
    """Two machines with a rank each, here both this one."""
    words = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": unused_port}
    command = ["train", *two, "trainer.devices=1", "trainer.num_nodes=2", "name=run"]
    started = [start(*command, env={**words, "NODE_RANK": node}) for node in ("1", "0")]
    ended = [finish(process) for process in started]
    assert [code for code, _, _ in ended] == [0, 0], ended
    told_by = summary(Path("outputs/s/run"))["hardware"]
    assert (told_by["ranks"], told_by["nodes"]) == (2, 2)


def test_a_machine_with_other_data_stops_the_job(two, store, unused_port, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(store, other)
    manifest = read_manifest(store)
    fewer = replace(manifest, videos=manifest.videos[:-1])
    (other / "manifest.json").write_text(fewer.to_json())
    words = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": unused_port}
    command = ["train", *two, "trainer.devices=1", "trainer.num_nodes=2", "name=run", "data.store=${oc.env:STORE}"]
    places = {"0": str(store), "1": str(other)}
    started = [start(*command, env={**words, "NODE_RANK": node, "STORE": place}) for node, place in places.items()]
    code, _, err = finish(started[0])
    assert code == 1
    (line,) = told(err)
    assert "rank 1 of 2: this machine is not like rank 0's: " in line
    assert f"data {fewer.fingerprint} and {manifest.fingerprint} there" in line
    finish(started[1])
    assert runs() == set()


def test_a_machine_that_is_gone_ends_the_job(two, unused_port):
    words = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": unused_port}
    command = ["train", *two, "trainer.devices=1", "trainer.num_nodes=2", "name=run", "trainer.max_epochs=100000"]
    started = [start(*command, env={**words, "NODE_RANK": node}) for node in ("0", "1")]
    wait_until(lambda: Path("outputs/s/run/checkpoints/last.ckpt").exists())
    os.kill(started[1].pid, signal.SIGKILL)
    code, _, err = finish(started[0])
    assert code == 1
    (line,) = told(err)
    assert "process 1 of 2 is gone" in line
    finish(started[1])
    wait_until(lambda: not ranks_of(Path.cwd()))


def test_several_machines_are_not_waited_for_in_vain(two, capsys):
    assert fbm("train", *two, "trainer.num_nodes=2") == 1
    assert "this process was started alone" in capsys.readouterr().err


@pytest.fixture
def unused_port() -> str:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


# --- ends


@pytest.mark.parametrize("who", ["rank", "lead"])
def test_no_rank_outlives_another_or_its_lead(two, who):
    bomb = [BOMB, "+callbacks.bomb.how=sleep", "+callbacks.bomb.rank=0"]
    process = start("train", *two, "name=run", *bomb)
    wait_until(lambda: len(ranks_of(Path.cwd())) == 2 and Path("outputs/s/run/config.yaml").exists())
    victim = process.pid if who == "lead" else max(ranks_of(Path.cwd()))
    os.kill(victim, signal.SIGKILL)
    code, _, err = finish(process)
    wait_until(lambda: not ranks_of(Path.cwd()))
    assert code == (-9 if who == "lead" else 1)
    if who == "rank":
        (line,) = told(err)
        assert "was killed by SIGKILL" in line


def test_a_signal_to_the_lead_has_the_ranks_save_and_leave(two):
    signum = signal.SIGINT
    # A signal in a validation leaves at once: there is none for long.
    process = start("train", *two, "name=run", "trainer.max_epochs=100000", "trainer.check_val_every_n_epoch=50000")
    wait_until(lambda: Path("outputs/s/run/checkpoints/last.ckpt").exists())
    process.send_signal(signum)
    code, _, err = finish(process)
    assert code == 128 + signum, err
    (line,) = told(err)
    assert signal.Signals(signum).name in line
    assert "saved" in line
    saved: dict[str, Any] = torch.load("outputs/s/run/checkpoints/last.ckpt", weights_only=True)
    assert saved["global_step"] > 0
    assert not ranks_of(Path.cwd())


def test_ranks_go_on_exactly_where_they_were(two):
    """Warned as SLURM does it, and started again: bit for bit what was never interrupted."""
    long = [*two, "trainer.max_epochs=6", "callbacks.gallery=null"]
    process = start("train", *long, "name=broken")
    wait_until(lambda: Path("outputs/s/broken/checkpoints/last.ckpt").exists())
    process.send_signal(signal.SIGUSR1)
    code, _, err = finish(process)
    assert code == 128 + signal.SIGUSR1, err
    assert runs() == set()
    for name in ("broken", "whole"):
        code, _, err = finish(start("train", *long, f"name={name}"))
        assert code == 0, err
    assert summary(Path("outputs/s/broken"))["resumed"] == 1
    broken, whole = (
        torch.load(f"outputs/s/{name}/checkpoints/last.ckpt", weights_only=True) for name in ("broken", "whole")
    )
    assert broken["global_step"] == whole["global_step"] == 12
    assert all(torch.equal(broken["state_dict"][key], value) for key, value in whole["state_dict"].items())
    kept = [
        [{key: row[key] for key in row if "time/" not in key} for row in rows(Path("outputs/s") / name)]
        for name in ("broken", "whole")
    ]
    assert kept[0] == kept[1]
