"""How many ranks are asked for, and who this process is."""

import pytest
from omegaconf import OmegaConf

from fbm.config.compose import compose
from fbm.training.distributed.world import LauncherEnv, RequestedTopology, detect_launcher, wanted
from fbm.utils.errors import UserError

TORCHRUN = {
    **{"TORCHELASTIC_RUN_ID": "x", "TORCHELASTIC_USE_AGENT_STORE": "True", "RANK": "5", "WORLD_SIZE": "8"},
    **{"LOCAL_RANK": "1", "GROUP_RANK": "1", "MASTER_ADDR": "a", "MASTER_PORT": "29500"},
}
SLURM = {
    **{"SLURM_NTASKS": "4", "SLURM_PROCID": "3", "SLURM_LOCALID": "1", "SLURM_NODEID": "1", "SLURM_JOB_ID": "1234567"},
    **{"SLURM_JOB_NODELIST": "gpu[07-08,12]", "SLURM_JOB_NAME": "fbm", "SLURM_STEP_ID": "0"},
}
# What `sbatch --ntasks=4` gives its script: the words of task 0, whether or not it starts the others.
SCRIPT = {**SLURM, "SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NODEID": "0", "SLURM_STEP_ID": ""}


def test_torchruns_words():
    assert detect_launcher(TORCHRUN) == LauncherEnv(5, 8, 1, 1, "a", 29500, store_is_hosted=True)
    assert detect_launcher({**TORCHRUN, "WORLD_SIZE": "1"}) is None


def test_slurms_words():
    assert detect_launcher(SLURM) == LauncherEnv(3, 4, 1, 1, "gpu07", 15000 + 4567)
    assert detect_launcher({**SLURM, "MASTER_ADDR": "b", "MASTER_PORT": "7"}) == LauncherEnv(3, 4, 1, 1, "b", 7)


def test_one_task_or_a_shell_in_an_allocation_is_started_alone():
    assert detect_launcher({**SLURM, "SLURM_NTASKS": "1"}) is None
    assert detect_launcher({**SLURM, "SLURM_JOB_NAME": "interactive"}) is None
    assert detect_launcher({}) is None


@pytest.mark.parametrize("step", ["", "4294967291", "-5"])
def test_a_batch_script_of_several_tasks_without_srun_is_refused(step):
    with pytest.raises(UserError, match=r"this job has 4 tasks, and this process is its batch.*start it with srun"):
        detect_launcher({**SCRIPT, "SLURM_STEP_ID": step})
    without = {key: value for key, value in SCRIPT.items() if key != "SLURM_STEP_ID"}
    with pytest.raises(UserError, match="srun"):
        detect_launcher(without)
    assert detect_launcher({**SCRIPT, "SLURM_NTASKS": "1"}) is None
    first = detect_launcher({**SCRIPT, "SLURM_STEP_ID": "12"})
    assert first is not None
    assert first.index == 0


def test_one_command_a_machine():
    assert detect_launcher({"NODE_RANK": "1", "MASTER_ADDR": "a", "MASTER_PORT": "7"}) == LauncherEnv(
        1, None, 1, 0, "a", 7
    )


@pytest.mark.parametrize(("lacking", "named"), [("MASTER_PORT", "MASTER_PORT"), ("MASTER_ADDR", "MASTER_ADDR")])
def test_what_is_not_set_is_named(lacking, named):
    words = {"NODE_RANK": "1", "MASTER_ADDR": "a", "MASTER_PORT": "7"}
    with pytest.raises(UserError, match=f"{named} is not set"):
        detect_launcher({key: value for key, value in words.items() if key != lacking})


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ([], RequestedTopology(1, 1)),
        (["trainer=cpu", "trainer.devices=3"], RequestedTopology(3, 1)),
        (["trainer=ddp_cpu"], RequestedTopology(2, 1)),
        (["trainer=ddp_cpu", "trainer.num_nodes=2"], RequestedTopology(2, 2)),
        (["trainer=multinode", "trainer.accelerator=cpu", "trainer.devices=4"], RequestedTopology(4, 2)),
    ],
)
def test_ranks_follow_from_the_trainer(overrides, expected):
    found = wanted(compose(["trainer=cpu", *overrides]).trainer)
    assert found == expected
    assert found.ranks == expected.local * expected.nodes


@pytest.mark.parametrize("setting", ["trainer.devices=0", "trainer.devices=[0,1]", "trainer.strategy=ddp_spawn"])
def test_what_cannot_be_is_one_line(setting):
    with pytest.raises(UserError, match=setting.split("=")[0]):
        wanted(compose(["trainer=cpu", setting]).trainer)


def test_gpus_are_counted_as_lightning_does(monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 4)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    base = {"accelerator": "gpu", "num_nodes": 1, "strategy": "ddp"}
    for devices, number in (("auto", 4), (2, 2), ([0, 3], 2), ("1,2,3", 3), (-1, 4)):
        assert wanted(OmegaConf.create({**base, "devices": devices})).local == number


def test_a_machine_knows_the_address_that_leads_to_the_others():
    assert LauncherEnv(0, 2, 0, 0, "127.0.0.1", 7).here == "127.0.0.1"
