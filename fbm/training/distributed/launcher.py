"""Launches the training of a run: in this process, or in ranks that it starts and supervises."""

import signal

from omegaconf import DictConfig

from fbm.config.instantiate import build
from fbm.runs.folder import Run, open_run_folder
from fbm.training.distributed.control_store import LOCALHOST, ControlStore
from fbm.training.distributed.failures import RESUME_HINT, raise_failures
from fbm.training.distributed.rendezvous import LaunchRequest, coordinator, run_as_leader_or_follower
from fbm.training.distributed.topology import LauncherEnv, Topology, requested_topology
from fbm.training.distributed.worker_config import Train, WorkerConfig
from fbm.training.finished import has_work_left
from fbm.training.trainer import validate_trainer
from fbm.utils.errors import Stopped, UserError

LOG_DIR = "ranks"  # in the run folder
SINGLE_PROCESS = ("auto", "single_device")  # Lightning's strategies without a process group


def launch_training(train: Train, config: DictConfig, identity: str) -> Run | None:
    """Open the run's folder, and have `train` called: here, or in each of the ranks that `config.trainer` asks for.

    Where several processes were started together (torchrun, srun, the same command on every machine), the first does
    so, and the others start the ranks that are theirs.

    Args:
        train: brings the run to its end in the process that calls it; a function of a module, for ranks import it.
        identity: the run's fingerprint.

    Returns:
        The finished run; None in processes that follow the first.

    Raises:
        UserError: the settings or the run folder do not allow it, or a rank failed; the others are ended.
        Stopped: a signal asked for it; ranks have saved.
    """
    run: Run | None = None

    def lead() -> int:
        nonlocal run
        run = _lead(train, config, identity)
        return 0

    if run_as_leader_or_follower(identity, lead):
        raise UserError(f"{config.run_dir}: process 0, which leads this one, has failed (see its output)")
    return run


def _lead(train: Train, config: DictConfig, identity: str) -> Run:
    topology = requested_topology(config.trainer)
    validate_trainer(config)
    with open_run_folder(config.run_dir, identity, config.overwrite, config.resume) as run:
        if has_work_left(config, run) and is_distributed(topology, str(config.trainer.strategy)):
            launch_ranks(train, config, run, identity, topology)
        else:
            train(config, run, identity)
    return run


def is_distributed(topology: Topology, strategy: str) -> bool:
    """Whether to train in rank processes: for several ranks, or where torchrun or srun started several processes.

    Also for a single rank if the strategy makes a process group: in this process, group and environment variables would
    outlive the job, and be in the next one's way.
    """
    leader = coordinator()
    return (
        topology.world_size > 1
        or strategy not in SINGLE_PROCESS
        or (leader is not None and leader.env.processes is not None)
    )


def launch_ranks(train: Train, config: DictConfig, run: Run, identity: str, topology: Topology) -> None:
    """Train the run in ranks, on all machines; then read its summary into `run`.

    Raises:
        UserError: a rank failed, or the settings do not fit the processes that were started.
        Stopped: a signal asked for it; ranks have saved.
    """
    leader = coordinator()
    if leader is None and topology.nodes > 1:
        raise UserError(
            f"trainer.num_nodes={topology.nodes}, but this process was started alone: start it on every machine, with "
            "srun, torchrun, or NODE_RANK, MASTER_ADDR and MASTER_PORT set (see docs/ranks.md)"
        )
    env = leader.env if leader else LauncherEnv(0, 1, 0, 0, LOCALHOST, 0)
    groups = env.groups(topology)
    share = build(config.data.module, seed=config.seed).rank_batch_size(topology.world_size)  # refuses bad batch sizes
    store = ControlStore(env.reachable_address, host=True)
    store.set("config", WorkerConfig.create(train, config, run, identity).to_json())
    log_dir = str((run.folder / LOG_DIR).resolve())
    request = LaunchRequest(store.address, store.port, topology.per_node, topology.nodes, log_dir)
    if leader:
        leader.request(request, groups)
    print(f"{run.folder}: {topology.world_size} ranks, {share} of a step's {config.data.batch_size} clips each")
    lost_group = request.run_ranks(env, store).lost_group()
    failures = store.failures(topology.world_size)
    if lost_group is not None and all(failure.kind == "lost" for failure in failures):
        raise UserError(f"{run.folder}: process {lost_group} of {groups} is gone, and its ranks with it{RESUME_HINT}")
    raise_failures(run, failures, topology.world_size)
    run.reread()
    if run.summary is None:
        signum = int(store.try_get("signal") or signal.SIGTERM)
        name = signal.Signals(signum).name
        raise Stopped(signum, f"{name}: ranks that did not save in time were ended{RESUME_HINT}")
