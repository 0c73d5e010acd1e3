"""`fbm prepare prepare.shards=N`: one of the shards, or all of them by one of Hydra's launchers."""

import os
from contextlib import nullcontext
from dataclasses import dataclass, field
from multiprocessing import parent_process
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict

from fbm.config.instantiate import build
from fbm.config.keys import flatten, under
from fbm.config.launchers import describe_lost, launch_jobs
from fbm.data.store.manifest import read_manifest
from fbm.data.store.preparation import Preparation
from fbm.data.store.prepare import Prepared, prepare
from fbm.data.store.prepare_shard import ShardResult, prepare_shard
from fbm.data.store.shards import SHARDS, Shard, describe_unfinished, one_at_a_time, reopen_all
from fbm.utils.errors import UserError
from fbm.utils.messages import failure_reason

# Settings of the data that a shard may have for itself, or that only training reads.
OWN = (
    *("data.store", "data.module", "data.num_workers", "data.batch_size"),
    *("data.chunk_frames", "data.clip_frames", "data.frame_interval"),
)


@dataclass(frozen=True)
class ShardOutcome:
    """How a launched shard ended.

    Attributes:
        reason: why it failed; None if it did not.
        worked_on: number of videos that it prepared.
        left_over: see `Prepared`, from the shard that finished the preparation.
    """

    reason: str | None = None
    worked_on: int = 0
    left_over: list[str] = field(default_factory=list)


def check_shards(config: DictConfig) -> None:
    """UserError for shards that do not exist, or that nothing starts."""
    shards, shard, launcher = config.prepare.shards, config.prepare.shard, _launcher()
    if shards is None:
        if shard is not None:
            raise UserError(f"prepare.shard={shard}: of how many? prepare.shards=8")
        if launcher is not None:
            raise UserError(f"launcher={launcher} runs the shards of a preparation, say how many: prepare.shards=8")
        return
    if not _is_whole(shards) or shards < 1:
        raise UserError(f"prepare.shards={shards}: it should be a whole number of at least 1")
    if shard is None and launcher is None:
        raise UserError(
            f"prepare.shards={shards}: choose what runs them, launcher=joblib, slurm or submitit_local, or prepare one "
            f"of them, prepare.shard=0 to {shards - 1}"
        )
    if shard is not None and (not _is_whole(shard) or not 0 <= shard < shards):
        raise UserError(f"prepare.shard={shard}: it should be a whole number from 0 to {shards - 1}")
    if shard is not None and launcher is not None:
        raise UserError(f"launcher={launcher} runs all shards, prepare.shard={shard} is one: leave out one of the two")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _launcher() -> str | None:
    from hydra.core.hydra_config import HydraConfig

    option = HydraConfig.get().runtime.choices.get("launcher")
    return None if option in (None, "null") else str(option)


def _shard_of(config: DictConfig) -> Shard | None:
    """The shard that a config is for, if it is for one."""
    if config.prepare.shard is None:
        return None
    content = {key: OmegaConf.to_container(config[key], resolve=True) for key in ("data", "masks")}
    settings = {key: value for key, value in flatten(content).items() if not under(key, OWN)}
    settings["prepare.drop_classes"] = config.prepare.drop_classes
    return Shard(config.prepare.shard, config.prepare.shards, settings)


def prepare_config(config: DictConfig) -> ShardResult:
    """Prepare what a checked config describes, all of it or one shard.

    Raises:
        UserError: see `prepare` and `prepare_shard`.
    """
    store, shard = Path(config.data.store), _shard_of(config)
    if config.data.generate is not None:
        with one_at_a_time(store, shard) if shard else nullcontext():
            build(config.data.generate)
    given = Preparation(
        source=build(config.data.source),
        masks=build(config.masks.source) if config.masks.source is not None else None,
        masks_name=config.masks.name,
        store=store,
        size=config.data.size,
        workers=config.prepare.workers,
        timeout=config.prepare.timeout,
        settings={"name": config.data.name, "skip_broken": config.data.skip_broken},
        drop_classes=config.prepare.drop_classes,
        decoder=config.data.decoder,
        frames=config.data.frames,
        quality=config.data.quality,
    )
    if shard is not None:
        return prepare_shard(shard, given)
    prepared = prepare(given)
    return ShardResult(prepared.worked_on, prepared)


def prepare_by_launcher(config: DictConfig) -> Prepared:
    """Run all shards by the launcher.

    Raises:
        UserError: a shard failed.
    """
    from hydra.core.hydra_config import HydraConfig

    store, shards = Path(config.data.store), config.prepare.shards
    if (store / SHARDS).is_dir():
        reopen_all(store, shards)
    given = HydraConfig.get().overrides.task
    more = [f"prepare.workers={_workers(shards)}"] if config.prepare.workers is None and _launcher() == "joblib" else []
    whole = config.copy()
    with open_dict(whole):
        whole.hydra = HydraConfig.get()
    try:
        outcomes = launch_jobs(
            whole, run_shard, [[*given, *more, f"prepare.shard={number}"] for number in range(shards)]
        )
    except Exception as error:  # of the launcher
        state = describe_unfinished(store)
        raise UserError(f"a shard failed: {describe_lost(error)}{f'; {state}' if state else ''}") from error
    _check_outcomes(outcomes)
    left_over = [line for outcome in outcomes for line in outcome.left_over]
    return Prepared(read_manifest(store), sum(outcome.worked_on for outcome in outcomes), left_over)


def _workers(shards: int) -> int:
    """Worker processes of each of joblib's shards, of which several run on this machine at once."""
    from hydra.core.hydra_config import HydraConfig
    from joblib import effective_n_jobs

    at_once: int = min(shards, effective_n_jobs(HydraConfig.get().launcher.n_jobs))
    return max(1, len(os.sched_getaffinity(0)) // at_once)


def _check_outcomes(outcomes: list[ShardOutcome]) -> None:
    failed = {number: outcome.reason for number, outcome in enumerate(outcomes) if outcome.reason is not None}
    if not failed:
        return
    for number, reason in failed.items():
        print(f"failed: shard {number}: {reason}")
    number, reason = next(iter(failed.items()))
    raise UserError(
        f"{len(failed)} of {len(outcomes)} shards failed, the first is shard {number}: {reason}; what is done is kept, "
        "and the same command resumes"
    )


def run_shard(config: DictConfig) -> ShardOutcome:
    """Prepare one shard, in a process of the launcher. Raises nothing, so that the others are run."""
    from fbm.config.overrides import expand_home
    from fbm.utils.process import end_with_parent

    if parent_process() is not None:  # a worker of joblib, which would outlive a killed command
        end_with_parent()
    try:
        expand_home(config)
        done = prepare_config(config)
    except Exception as error:
        return ShardOutcome(failure_reason(error))
    return ShardOutcome(None, done.worked_on, done.prepared.left_over if done.prepared is not None else [])
