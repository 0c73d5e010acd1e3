"""One rank: `python -m fbm.ranks.rank`, started by `fbm.ranks.team` and by nobody else."""

import json
import os
import signal
import sys
import traceback
from threading import Thread
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from fbm.errors import Stopped, UserError
from fbm.ranks.job import Job, Report
from fbm.ranks.spec import Spec
from fbm.ranks.team import LIFELINE

LOST = ("connection closed by peer", "connection reset by peer", "gloo", "nccl", "broken pipe")


def main() -> int:
    """Do this rank's part of the job; gives the exit status."""
    _end_with_parent(int(os.environ[LIFELINE]))
    rank = int(os.environ["RANK"])
    job = Job(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]))
    try:
        _work(job, rank)
    except Stopped as stopped:
        job.report(Report(rank, "stopped", str(stopped), signum=stopped.signum))
        return 128 + stopped.signum
    except KeyboardInterrupt:
        job.report(Report(rank, "stopped", "interrupted", signum=signal.SIGINT))
        return 128 + signal.SIGINT
    except Exception as error:
        if rank:  # into its own log; the lead keeps rank 0's
            traceback.print_exc()
        job.report(_report(rank, error))
        return 1
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    return 0


def _work(job: Job, rank: int) -> None:
    from fbm.machine import keep_memory, quiet
    from fbm.train import bring_to_an_end

    keep_memory()
    quiet()
    spec = Spec(**json.loads(job.wait_for("spec")))
    config = OmegaConf.create(spec.config)
    assert isinstance(config, DictConfig)
    _agree(job, rank, config)
    bring_to_an_end(config, spec.run(main=rank == 0), spec.identity)


def _agree(job: Job, rank: int, config: Any) -> None:
    """See that all ranks are about to do the same.

    Raises:
        UserError: a machine has other settings, data or packages than rank 0's.
    """
    from fbm.ranks.agreement import differences, facts

    own = facts(config)
    job.say(f"facts/{rank}", json.dumps(own))
    if unlike := differences(own, json.loads(job.wait_for("facts/0"))):
        raise UserError(f"this machine is not like rank 0's: {unlike}")


def _report(rank: int, error: Exception) -> Report:
    from torch.distributed import DistError

    from fbm.launch import mendable

    line = mendable(error)
    said = line or f"{type(error).__name__}: {error}"
    lost = isinstance(error, DistError) or (isinstance(error, RuntimeError) and _sounds_lost(str(error)))
    kind = "user" if line is not None else "lost" if lost else "bug"
    return Report(rank, kind, " ".join(said.split()), traceback.format_exc())


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
