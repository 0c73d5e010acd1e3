"""A run of several ranks, seen by the process that was asked for it, which is none of them."""

import json
import signal
import time
from dataclasses import asdict

from omegaconf import DictConfig

from fbm.config.instantiate import build
from fbm.runs.files import FAILURE
from fbm.runs.folder import Run
from fbm.training.distributed.company import LaunchRequest, coordinator
from fbm.training.distributed.job import HOME, ControlStore, RankFailure
from fbm.training.distributed.spec import spec_of
from fbm.training.distributed.watch import HEARTBEAT_TIMEOUT, Supervisor
from fbm.training.distributed.world import LauncherEnv, RequestedTopology
from fbm.utils.errors import Stopped, UserError
from fbm.utils.files import write_text

LOGS = "ranks"  # folder in the run's, with rankN.log
RESUME_HINT = "; the other ranks were ended, the same command goes on from the last save"
WITHOUT_GROUP = ("auto", "single_device")  # Lightning's strategies of a single process
ORDER = ("user", "bug", "died", "lost")  # a cause comes before what it causes


def several(asked: RequestedTopology, strategy: str) -> bool:
    """Whether a run is for ranks: it asks for some, or several processes are here for it.

    A strategy that makes a process group is for a rank's process, even where it is the only one: group and environment
    would be left to the next job of this process.
    """
    mine = coordinator()
    grouped = strategy not in WITHOUT_GROUP
    return asked.ranks > 1 or grouped or (mine is not None and mine.me.count is not None)


def launch_ranks(config: DictConfig, run: Run, identity: str, asked: RequestedTopology) -> None:
    """Have the ranks of this machine, and of the others, bring the run to its end; reads its summary then.

    Raises:
        UserError: a rank failed; the others are ended.
        Stopped: a signal asked for it, and the ranks have saved.
    """
    mine = coordinator()
    me = mine.me if mine else LauncherEnv(0, 1, 0, 0, HOME, 0)
    if mine is None and asked.nodes > 1:
        raise UserError(
            f"trainer.num_nodes={asked.nodes}, but this process was started alone: start it on every machine, with "
            "srun, torchrun, or NODE_RANK, MASTER_ADDR and MASTER_PORT set (see docs/ranks.md)"
        )
    teams = mine.teams(asked) if mine else 1
    share = build(config.data.module, seed=config.seed).rank_batch_size(asked.ranks)  # refuses before any rank starts
    job = ControlStore(me.here if mine else HOME, host=True)
    job.say("spec", json.dumps(asdict(spec_of(config, run, identity))))
    call = LaunchRequest(job.address, job.port, asked.local, asked.nodes, str((run.folder / LOGS).resolve()))
    if mine:
        mine.call(call, teams)
    print(f"{run.folder}: {asked.ranks} ranks, {share} of a step's {config.data.batch_size} clips each")
    watch = Supervisor(call.team(me, job, teams), job, 0, teams)
    watch.wait()
    gone = min(watch.silent, default=None)
    gone = _gone(job, teams) if gone is None else gone
    reports = job.reports(asked.ranks)
    if gone is not None and all(report.kind == "lost" for report in reports):
        raise UserError(f"{run.folder}: process {gone} of {teams} is gone, and its ranks with it{RESUME_HINT}")
    _judge(run, reports, asked.ranks)
    run.reread()
    if run.summary is None:
        asked_to_leave = int(job.said("asked") or signal.SIGTERM)
        name = signal.Signals(asked_to_leave).name
        raise Stopped(asked_to_leave, f"{name}: ranks that did not leave in time were ended{RESUME_HINT}")


def _gone(job: ControlStore, teams: int) -> int | None:
    """Wait until the other processes have no rank left; gives the first that has said nothing for too long."""
    until = time.monotonic() + HEARTBEAT_TIMEOUT
    left = list(range(teams))
    while left and time.monotonic() < until:
        left = [team for team in left if job.said(f"over/{team}") is None]
        time.sleep(0.1)
    return left[0] if left else None


def _judge(run: Run, reports: list[RankFailure], ranks: int) -> None:
    """Raise what came of it, if that was not the end of the run."""
    failed = sorted((report for report in reports if report.kind in ORDER), key=lambda one: ORDER.index(one.kind))
    if failed:
        cause = failed[0]
        if cause.traceback and cause.kind != "user":
            write_text(run.folder / FAILURE, cause.traceback)
        raise UserError(_told(cause, [report.line for report in failed], run, ranks))
    stopped = [report for report in reports if report.kind == "stopped"]
    if stopped:
        raise Stopped(stopped[0].signum, stopped[0].line)


def _told(cause: RankFailure, lines: list[str], run: Run, ranks: int) -> str:
    if len(lines) == ranks and len(set(lines)) == 1:
        return cause.line  # the same for all: nothing of one rank's
    where = f" (see {run.folder / FAILURE})" if cause.kind == "bug" else ""
    ended = "" if cause.kind == "user" else RESUME_HINT
    return f"{run.folder}: rank {cause.rank} of {ranks}: {cause.line}{where}{ended}"
