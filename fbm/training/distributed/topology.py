"""How many ranks a run asks for, and this process's place among those that were started together."""

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig
from pytorch_lightning.accelerators import CPUAccelerator, CUDAAccelerator

from fbm.utils.errors import UserError

MULTIPROCESSING = ("spawn", "fork", "notebook")  # in names of Lightning's strategies that start processes themselves

SPECIAL_STEPS = 0xFFFFFFF0  # SLURM's step ids from here on are of scripts and shells, not of `srun`


@dataclass(frozen=True)
class Topology:
    """The ranks of a job: `per_node` on each of `nodes` machines, numbered machine by machine."""

    per_node: int
    nodes: int

    @property
    def world_size(self) -> int:
        """All ranks."""
        return self.per_node * self.nodes


def requested_topology(trainer: DictConfig) -> Topology:
    """What a run's `trainer` settings ask for.

    Raises:
        UserError: there are no such devices, or the strategy starts its own processes.
    """
    strategy = str(trainer.get("strategy", "auto"))
    if any(word in strategy for word in MULTIPROCESSING):
        raise UserError(f"trainer.strategy={strategy} starts its own processes: use trainer.strategy=ddp")
    try:
        return Topology(_devices(trainer.accelerator, trainer.devices), int(trainer.num_nodes))
    except (MisconfigurationException, TypeError, ValueError) as error:
        raise UserError(f"trainer.devices={trainer.devices}: {error}") from error


def _devices(accelerator: str, devices: Any) -> int:
    cuda = accelerator in ("gpu", "cuda") or (accelerator == "auto" and CUDAAccelerator.is_available())
    if not cuda:
        return int(CPUAccelerator.auto_device_count() if devices == "auto" else CPUAccelerator.parse_devices(devices))
    if not CUDAAccelerator.is_available():
        return 1  # the trainer itself refuses it, with a better message
    if devices == "auto":
        return int(CUDAAccelerator.auto_device_count())
    return len(CUDAAccelerator.parse_devices(devices) or [0])


@dataclass(frozen=True)
class LauncherEnv:
    """This process among those that torchrun, srun or a person on several machines started together.

    Attributes:
        index: of this process; 0 leads.
        processes: how many there are; None where a person started one on each machine, of which only the settings know
            the number.
        node, local: index of the machine, and of the process on it.
        address, port: where process 0 can be reached.
        store_is_hosted: torchrun hosts a store there already.
    """

    index: int
    processes: int | None
    node: int
    local: int
    address: str
    port: int
    store_is_hosted: bool = False

    def groups(self, topology: Topology) -> int:
        """The number of processes that start ranks.

        Raises:
            UserError: it is neither the number of ranks nor of machines.
        """
        groups = self.processes or topology.nodes
        if groups not in (topology.nodes, topology.world_size):
            raise UserError(
                f"{groups} processes were started, but trainer.devices x trainer.num_nodes is {topology.per_node} x "
                f"{topology.nodes}: start one process for each rank or one on each machine (see docs/ranks.md)"
            )
        return groups

    def ranks(self, topology: Topology) -> Sequence[int]:
        """The ranks that this process starts: all of its machine, or one where there is a process for each.

        Raises:
            UserError: as `groups`.
        """
        first = topology.per_node * self.node
        if self.groups(topology) == topology.nodes:
            return range(first, first + topology.per_node)
        return [first + self.local]

    @property
    def reachable_address(self) -> str:
        """The address of this machine on the network that leads to `address`."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((self.address, self.port or 1))  # sends nothing
            return str(probe.getsockname()[0])


def detect_launcher(environ: Mapping[str, str]) -> LauncherEnv | None:
    """This process's place, from environment variables; None if it was started alone.

    Raises:
        UserError: a variable is missing or malformed.
    """
    try:
        return _from_torchrun(environ) or _from_slurm(environ) or _from_node_rank(environ)
    except KeyError as error:
        raise UserError(f"{error.args[0]} is not set, which a run on several machines needs") from error
    except ValueError as error:
        raise UserError(f"environment variables of this process are malformed: {error}") from error


def _from_torchrun(environ: Mapping[str, str]) -> LauncherEnv | None:
    if "TORCHELASTIC_RUN_ID" not in environ or environ.get("WORLD_SIZE", "1") == "1":
        return None
    index, count, node, local = (int(environ[key]) for key in ("RANK", "WORLD_SIZE", "GROUP_RANK", "LOCAL_RANK"))
    store_is_hosted = environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    return LauncherEnv(index, count, node, local, environ["MASTER_ADDR"], int(environ["MASTER_PORT"]), store_is_hosted)


def _from_slurm(environ: Mapping[str, str]) -> LauncherEnv | None:
    """Tasks of `srun`; not an interactive shell in an allocation."""
    if environ.get("SLURM_NTASKS", "1") == "1" or "SLURM_PROCID" not in environ:
        return None
    if environ.get("SLURM_JOB_NAME") in ("bash", "interactive"):
        return None
    if not _is_srun_task(environ):
        raise UserError(
            f"this job has {environ['SLURM_NTASKS']} tasks, but this process is its batch script, not one of them: "
            "start it with srun (srun fbm ...), or give the job one task (#SBATCH --ntasks-per-node=1 on one node), "
            "and fbm starts a rank for each GPU itself"
        )
    nodes = environ.get("SLURM_JOB_NODELIST") or environ["SLURM_NODELIST"]
    port = environ.get("MASTER_PORT") or 15000 + int(environ["SLURM_JOB_ID"]) % 10000  # the same in all tasks
    keys = ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_NODEID", "SLURM_LOCALID")
    index, count, node, local = (int(environ[key]) for key in keys)
    address = environ.get("MASTER_ADDR") or SLURMEnvironment.resolve_root_node_address(nodes)
    return LauncherEnv(index, count, node, local, address, int(port))


def _is_srun_task(environ: Mapping[str, str]) -> bool:
    """Whether `srun` started this process. A batch script has the variables of task 0 too, but no step id of `srun`."""
    step = environ.get("SLURM_STEP_ID") or environ.get("SLURM_STEPID") or "-1"
    return environ["SLURM_PROCID"] != "0" or 0 <= int(step) < SPECIAL_STEPS


def _from_node_rank(environ: Mapping[str, str]) -> LauncherEnv | None:
    """The same command on every machine, with NODE_RANK, MASTER_ADDR and MASTER_PORT, as Lightning names them."""
    if "NODE_RANK" not in environ:
        return None
    node = int(environ["NODE_RANK"])
    return LauncherEnv(node, None, node, 0, environ["MASTER_ADDR"], int(environ["MASTER_PORT"]))
