"""One rank: `python -m fbm.training.distributed.rank`, started by a `WorkerGroup`."""

import json
import os
import pkgutil
import signal
import sys
import traceback
from typing import cast

import torch
from omegaconf import DictConfig, OmegaConf

from fbm.training.distributed.control_store import ControlStore
from fbm.training.distributed.failures import RankFailure
from fbm.training.distributed.parent import end_with_parent
from fbm.training.distributed.worker_config import Train, WorkerConfig
from fbm.utils.errors import Stopped, UserError
from fbm.utils.machine import configure_malloc, silence_lightning
from fbm.utils.messages import user_message

CONNECTION_LOST = ("connection closed by peer", "connection reset by peer", "gloo", "nccl", "broken pipe")


def main() -> int:
    """Train, or report to the launcher why not; gives the exit status."""
    end_with_parent()
    rank = int(os.environ["RANK"])
    store = ControlStore(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]))
    try:
        train_rank(store, rank)
    except Stopped as stopped:
        store.report(RankFailure(rank, "stopped", str(stopped), signum=stopped.signum))
        return 128 + stopped.signum
    except KeyboardInterrupt:
        store.report(RankFailure(rank, "stopped", "interrupted", signum=signal.SIGINT))
        return 128 + signal.SIGINT
    except Exception as error:
        if rank:  # to its own log; rank 0's traceback is kept by the launcher
            traceback.print_exc()
        store.report(_failure(rank, error))
        return 1
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    return 0


def train_rank(store: ControlStore, rank: int) -> None:
    """Train this rank's part of the job in the store.

    Raises:
        UserError: this machine's settings, data, code or libraries are not rank 0's; and what the training raises.
    """
    from fbm.training.distributed.consistency import diff, environment_fingerprint  # loads Lightning: after the tie

    configure_malloc()
    silence_lightning()
    worker = WorkerConfig.from_json(store.get("config"), is_main_process=rank == 0)
    config = cast(DictConfig, OmegaConf.create(worker.config))
    own = environment_fingerprint(config)
    store.set(f"environment/{rank}", json.dumps(own))
    if difference := diff(own, json.loads(store.get("environment/0"))):
        raise UserError(f"this machine differs from rank 0's: {difference}")
    train: Train = pkgutil.resolve_name(worker.train)
    train(config, worker.run, worker.identity)


def _failure(rank: int, error: Exception) -> RankFailure:
    line = user_message(error)
    lost = isinstance(error, torch.distributed.DistError) or (
        isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in CONNECTION_LOST)
    )
    kind = "user" if line is not None else "lost" if lost else "bug"
    line = line or f"{type(error).__name__}: {error}"
    return RankFailure(rank, kind, " ".join(line.split()), traceback.format_exc())


if __name__ == "__main__":
    code = main()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)  # an interpreter's own end can hang on a process group whose other ranks are gone
