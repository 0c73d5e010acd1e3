"""One rank: `python -m fbm.training.distributed.rank`, started by `team.py` alone."""

import json
import os
import signal
import sys
import traceback
from threading import Thread
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from fbm.training.distributed.job import ControlStore, RankFailure
from fbm.training.distributed.spec import WorkerConfig
from fbm.training.distributed.team import PARENT_PIPE_ENV
from fbm.utils.errors import Stopped, UserError

LOST = ("connection closed by peer", "connection reset by peer", "gloo", "nccl", "broken pipe")


def main() -> int:
    """Do this rank's part of the job; gives the exit status."""
    _end_with_parent(int(os.environ[PARENT_PIPE_ENV]))
    rank = int(os.environ["RANK"])
    job = ControlStore(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]))
    try:
        _work(job, rank)
    except Stopped as stopped:
        job.report(RankFailure(rank, "stopped", str(stopped), signum=stopped.signum))
        return 128 + stopped.signum
    except KeyboardInterrupt:
        job.report(RankFailure(rank, "stopped", "interrupted", signum=signal.SIGINT))
        return 128 + signal.SIGINT
    except Exception as error:
        if rank:  # into its own log; the lead keeps rank 0's
            traceback.print_exc()
        job.report(_report(rank, error))
        return 1
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    return 0


def _work(job: ControlStore, rank: int) -> None:
    from fbm.training.train import train
    from fbm.utils.machine import configure_malloc, silence_lightning

    configure_malloc()
    silence_lightning()
    spec = WorkerConfig(**json.loads(job.wait_for("spec")))
    config = OmegaConf.create(spec.config)
    assert isinstance(config, DictConfig)
    _agree(job, rank, config)
    train(config, spec.run(main=rank == 0), spec.identity)


def _agree(job: ControlStore, rank: int, config: Any) -> None:
    """See that all ranks are about to do the same.

    Raises:
        UserError: a machine has other settings, data or packages than rank 0's.
    """
    from fbm.training.distributed.agreement import differences, facts

    own = facts(config)
    job.say(f"facts/{rank}", json.dumps(own))
    if unlike := differences(own, json.loads(job.wait_for("facts/0"))):
        raise UserError(f"this machine is not like rank 0's: {unlike}")


def _report(rank: int, error: Exception) -> RankFailure:
    from torch.distributed import DistError

    from fbm.utils.messages import user_message

    line = user_message(error)
    said = line or f"{type(error).__name__}: {error}"
    lost = isinstance(error, DistError) or (isinstance(error, RuntimeError) and _sounds_lost(str(error)))
    kind = "user" if line is not None else "lost" if lost else "bug"
    return RankFailure(rank, kind, " ".join(said.split()), traceback.format_exc())


def _sounds_lost(text: str) -> bool:
    return any(sign in text.lower() for sign in LOST)


def _end_with_parent(pipe: int) -> None:
    """Whatever hangs here: when whoever started this rank is gone, it and all it started go too."""

    def wait() -> None:
        os.read(pipe, 1)  # nothing is ever written: it returns when the other end is closed
        os.killpg(os.getpgrp(), signal.SIGKILL)

    Thread(target=wait, daemon=True).start()


if __name__ == "__main__":
    code = main()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)  # at once: the end of an interpreter can hang on a process group whose other ranks are gone
