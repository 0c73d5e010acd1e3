"""How many ranks a run asks for, and who this process is among those that somebody else started together."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig
from pytorch_lightning.accelerators import CPUAccelerator, CUDAAccelerator

from fbm.utils.errors import UserError

OWN_STARTERS = ("spawn", "fork", "notebook")  # Lightning's strategies that start processes in their own way

SPECIAL_STEPS = 0xFFFFFFF0  # SLURM's numbers from here on are of scripts and shells, not of what `srun` started


@dataclass(frozen=True)
class RequestedTopology:
    """How many ranks a run asks for: `local` on each of `nodes` machines."""

    local: int
    nodes: int

    @property
    def ranks(self) -> int:
        """On all machines together."""
        return self.local * self.nodes


def wanted(trainer: DictConfig) -> RequestedTopology:
    """What a run's `trainer` settings ask for.

    Raises:
        UserError: the devices are not there, or the strategy starts processes in a way of its own.
    """
    strategy = str(trainer.get("strategy", "auto"))
    if any(word in strategy for word in OWN_STARTERS):
        raise UserError(f"trainer.strategy={strategy} starts its processes in its own way: use trainer.strategy=ddp")
    try:
        return RequestedTopology(_devices(trainer.accelerator, trainer.devices), int(trainer.num_nodes))
    except (MisconfigurationException, TypeError, ValueError) as error:
        raise UserError(f"trainer.devices={trainer.devices}: {error}") from error


def _devices(accelerator: str, devices: Any) -> int:
    """How many processes of this machine train."""
    cuda = accelerator in ("gpu", "cuda") or (accelerator == "auto" and CUDAAccelerator.is_available())
    if not cuda:
        return int(CPUAccelerator.auto_device_count() if devices == "auto" else CPUAccelerator.parse_devices(devices))
    if not CUDAAccelerator.is_available():
        return 1  # the trainer says so, better than we could
    if devices == "auto":
        return int(CUDAAccelerator.auto_device_count())
    return len(CUDAAccelerator.parse_devices(devices) or [0])


@dataclass(frozen=True)
class LauncherEnv:
    """This process among those that torchrun, SLURM or a person on several machines started together.

    Attributes:
        index: number of this process; 0 leads.
        count: how many there are; None where a person started one a machine and the settings say how many.
        node, local: number of the machine, and of the process on it.
        address, port: where the others find process 0.
        hosted: a store listens there already (torchrun's own).
    """

    index: int
    count: int | None
    node: int
    local: int
    address: str
    port: int
    store_is_hosted: bool = False

    @property
    def here(self) -> str:
        """The address of this machine by which the others can reach it: the one that leads to where all meet."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((self.address, self.port))  # sends nothing
            return str(probe.getsockname()[0])


def detect_launcher(environ: Mapping[str, str]) -> LauncherEnv | None:
    """Who this process is; None where it was started alone.

    Raises:
        UserError: the environment is not whole.
    """
    try:
        return _torchrun(environ) or _slurm(environ) or _by_hand(environ)
    except KeyError as error:
        raise UserError(f"{error.args[0]} is not set, which a run on several machines needs") from error
    except ValueError as error:
        raise UserError(f"the environment of this rank is not whole: {error}") from error


def _torchrun(environ: Mapping[str, str]) -> LauncherEnv | None:
    if "TORCHELASTIC_RUN_ID" not in environ or environ.get("WORLD_SIZE", "1") == "1":
        return None
    index, count, node, local = (int(environ[key]) for key in ("RANK", "WORLD_SIZE", "GROUP_RANK", "LOCAL_RANK"))
    store_is_hosted = environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    return LauncherEnv(index, count, node, local, environ["MASTER_ADDR"], int(environ["MASTER_PORT"]), store_is_hosted)


def _slurm(environ: Mapping[str, str]) -> LauncherEnv | None:
    """Tasks that `srun` started; an interactive shell inside an allocation is no such task."""
    if environ.get("SLURM_NTASKS", "1") == "1" or "SLURM_PROCID" not in environ:
        return None
    if environ.get("SLURM_JOB_NAME") in ("bash", "interactive"):
        return None
    if not _is_task(environ):
        raise UserError(
            f"this job has {environ['SLURM_NTASKS']} tasks, and this process is its batch script's, not one of them: "
            "start it with srun (srun fbm ...), or give the job one task (#SBATCH --ntasks-per-node=1 on one node), "
            "where fbm starts a rank a GPU itself"
        )
    nodes = environ.get("SLURM_JOB_NODELIST") or environ["SLURM_NODELIST"]
    port = environ.get("MASTER_PORT") or 15000 + int(environ["SLURM_JOB_ID"]) % 10000  # the same for all of a job
    keys = ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_NODEID", "SLURM_LOCALID")
    index, count, node, local = (int(environ[key]) for key in keys)
    address = environ.get("MASTER_ADDR") or SLURMEnvironment.resolve_root_node_address(nodes)
    return LauncherEnv(index, count, node, local, address, int(port))


def _is_task(environ: Mapping[str, str]) -> bool:
    """Whether `srun` started this process; a batch script without it has the words of task 0, and is alone."""
    step = environ.get("SLURM_STEP_ID") or environ.get("SLURM_STEPID") or "-1"
    return environ["SLURM_PROCID"] != "0" or 0 <= int(step) < SPECIAL_STEPS


def _by_hand(environ: Mapping[str, str]) -> LauncherEnv | None:
    """The same command on every machine, in Lightning's own words: NODE_RANK, MASTER_ADDR and MASTER_PORT."""
    if "NODE_RANK" not in environ:
        return None
    node = int(environ["NODE_RANK"])
    return LauncherEnv(node, None, node, 0, environ["MASTER_ADDR"], int(environ["MASTER_PORT"]))
