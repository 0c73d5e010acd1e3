"""How many ranks are requested, and this process's place among others."""

import pytest
from omegaconf import OmegaConf

from fbm.config.compose import compose
from fbm.training.distributed.topology import LauncherEnv, Topology, detect_launcher, requested_topology
from fbm.utils.errors import UserError

TORCHRUN = {
    **{"TORCHELASTIC_RUN_ID": "x", "TORCHELASTIC_USE_AGENT_STORE": "True", "RANK": "5", "WORLD_SIZE": "8"},
    **{"LOCAL_RANK": "1", "GROUP_RANK": "1", "MASTER_ADDR": "a", "MASTER_PORT": "29500"},
}
SLURM = {
    **{"SLURM_NTASKS": "4", "SLURM_PROCID": "3", "SLURM_LOCALID": "1", "SLURM_NODEID": "1", "SLURM_JOB_ID": "1234567"},
    **{"SLURM_JOB_NODELIST": "gpu[07-08,12]", "SLURM_JOB_NAME": "fbm", "SLURM_STEP_ID": "0"},
}
# What `sbatch --ntasks=4` gives its script: the variables of task 0, whether or not it starts the others.
SCRIPT = {**SLURM, "SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NODEID": "0", "SLURM_STEP_ID": ""}


def test_torchrun():
    assert detect_launcher(TORCHRUN) == LauncherEnv(5, 8, 1, 1, "a", 29500, store_is_hosted=True)
    assert detect_launcher({**TORCHRUN, "WORLD_SIZE": "1"}) is None


def test_srun():
    assert detect_launcher(SLURM) == LauncherEnv(3, 4, 1, 1, "gpu07", 15000 + 4567)
    assert detect_launcher({**SLURM, "MASTER_ADDR": "b", "MASTER_PORT": "7"}) == LauncherEnv(3, 4, 1, 1, "b", 7)


def test_one_task_or_a_shell_in_an_allocation_is_started_alone():
    assert detect_launcher({**SLURM, "SLURM_NTASKS": "1"}) is None
    assert detect_launcher({**SLURM, "SLURM_JOB_NAME": "interactive"}) is None
    assert detect_launcher({}) is None


@pytest.mark.parametrize("step", ["", "4294967291", "-5"])
def test_a_batch_script_of_several_tasks_without_srun_is_refused(step):
    with pytest.raises(UserError, match=r"4 tasks.*srun"):
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
def test_missing_variables_are_named(lacking, named):
    variables = {"NODE_RANK": "1", "MASTER_ADDR": "a", "MASTER_PORT": "7"}
    with pytest.raises(UserError, match=f"{named}"):
        detect_launcher({key: value for key, value in variables.items() if key != lacking})


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ([], Topology(1, 1)),
        (["trainer=cpu", "trainer.devices=3"], Topology(3, 1)),
        (["trainer=ddp_cpu"], Topology(2, 1)),
        (["trainer=ddp_cpu", "trainer.num_nodes=2"], Topology(2, 2)),
        (["trainer=multinode", "trainer.accelerator=cpu", "trainer.devices=4"], Topology(4, 2)),
    ],
)
def test_ranks_follow_from_the_trainer(overrides, expected):
    found = requested_topology(compose(["trainer=cpu", *overrides]).trainer)
    assert found == expected
    assert found.world_size == expected.per_node * expected.nodes


@pytest.mark.parametrize("setting", ["trainer.devices=0", "trainer.devices=[0,1]", "trainer.strategy=ddp_spawn"])
def test_impossible_settings_are_one_line(setting):
    with pytest.raises(UserError, match=setting.split("=")[0]):
        requested_topology(compose(["trainer=cpu", setting]).trainer)


def test_gpus_are_counted_as_lightning_does(monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 4)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    base = {"accelerator": "gpu", "num_nodes": 1, "strategy": "ddp"}
    for devices, number in (("auto", 4), (2, 2), ([0, 3], 2), ("1,2,3", 3), (-1, 4)):
        assert requested_topology(OmegaConf.create({**base, "devices": devices})).per_node == number


@pytest.mark.parametrize(
    ("processes", "topology", "groups"),
    [(4, Topology(2, 2), 4), (2, Topology(2, 2), 2), (None, Topology(4, 2), 2), (8, Topology(4, 2), 8)],
)
def test_one_process_for_each_rank_or_machine(processes, topology, groups):
    assert LauncherEnv(0, processes, 0, 0, "a", 7).groups(topology) == groups


@pytest.mark.parametrize(
    ("processes", "topology"), [(2, Topology(1, 1)), (3, Topology(2, 2)), (4, Topology(2, 1)), (1, Topology(2, 2))]
)
def test_any_other_number_of_processes_is_refused(processes, topology):
    with pytest.raises(UserError, match=f"^{processes} processes.* {topology.per_node} x {topology.nodes}"):
        LauncherEnv(0, processes, 0, 0, "a", 7).groups(topology)


def test_each_process_starts_its_own_ranks():
    topology = Topology(2, 2)
    assert list(LauncherEnv(3, 4, 1, 1, "a", 7).ranks(topology)) == [3]
    assert list(LauncherEnv(1, None, 1, 0, "a", 7).ranks(topology)) == [2, 3]
    assert list(LauncherEnv(0, 1, 0, 0, "a", 7).ranks(Topology(3, 1))) == [0, 1, 2]


def test_a_machine_knows_the_address_that_leads_to_the_others():
    assert LauncherEnv(0, 2, 0, 0, "127.0.0.1", 7).reachable_address == "127.0.0.1"
