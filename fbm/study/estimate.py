"""Estimate the time and disk space of the unfinished runs of a study, by finished runs of the same kind."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from rich.filesize import decimal

from fbm.config.keys import flatten
from fbm.config.overrides import text
from fbm.config.renamed import setting
from fbm.runs.files import CONFIG, SUMMARY
from fbm.runs.summary import summary_if_whole
from fbm.study.declared import StudySpec, grid
from fbm.study.job import Job
from fbm.utils.durations import duration

# Settings that determine the time of a step and the steps of an epoch.
KIND = ("task_name", "task", "encoder", "compile", "activation_checkpointing", "float32_matmul")
KIND_OF_DATA = ("store", "size", "chunk_frames", "clip_frames", "batch_size")
KIND_OF_TRAINER = ("accelerator", "devices", "num_nodes", "precision", "limit_train_batches", "limit_val_batches")
FORWARD = 1 / 3  # of a training step: the backward pass takes twice as long


@dataclass(frozen=True)
class Cost:
    """The cost of one run.

    Attributes:
        epoch: seconds, validation included.
        beside: seconds outside of epochs: start, checkpoints, test.
        bytes: of the run folder.
        device: of the finished run.
    """

    epoch: float
    beside: float
    bytes: int
    device: str

    def seconds(self, epochs: int) -> float:
        """Of a run with so many epochs."""
        return self.beside + epochs * self.epoch


@dataclass(frozen=True)
class Finished:
    """A finished run that others are estimated by."""

    config: dict[str, Any]
    cost: Cost
    fraction: float  # of the labelled groups


def costs(jobs: Iterable[Job], outputs: Path = Path("outputs")) -> dict[Path, Cost]:
    """The cost of each job by run folder, from the newest finished run of its kind; unknown kinds are omitted.

    Args:
        outputs: studies with finished runs.
    """
    paths = sorted(outputs.glob(f"*/*/{SUMMARY}"), key=lambda path: path.stat().st_mtime, reverse=True)
    known = [run for path in paths if (run := _finished(path.parent)) is not None]
    found: dict[Path, Cost] = {}
    for job in jobs:
        alike = next((run for run in known if _is_like(run.config, job.content)), None)
        if alike is not None:
            share = job.content["data"]["label_fraction"] / alike.fraction
            found[job.folder] = replace(alike.cost, epoch=alike.cost.epoch * share)
    return found


def expected(declared: StudySpec, jobs: Sequence[Job]) -> str:
    """A line on the total cost of the unfinished jobs; empty unless all are of a known kind."""
    left = [job for job in jobs if not job.finished]
    known = costs(left)
    if not left or len(known) < len(left):
        return ""
    seconds = sum(known[job.folder].seconds(job.content["trainer"]["max_epochs"]) for job in left)
    space = decimal(sum(known[job.folder].bytes for job in left))
    devices = ", ".join(sorted({cost.device for cost in known.values()}))
    return (
        f"{declared.study}: about {duration(seconds)} one after the other, and {space}, by finished runs on {devices}"
    )


def trial_command(declared: StudySpec, name: str, jobs: Sequence[Job]) -> str:
    """A line with the command that runs one epoch of each kind, to find out the cost. Empty if no job is left.

    Args:
        name: of the study, as it was typed.
    """
    left = [job for job in jobs if not job.finished]
    if not left:
        return ""
    first = [
        f"{stage}.over.{key}=[{text(values[0])}]"
        for stage, over in (("pretrain", declared.pretrain.over), ("classify", declared.classify.over))
        for key, values in grid(over).items()
        if len(values) > 1 and key != "init"
    ]
    command = " ".join(["fbm study", name, f"study={declared.study}_trial", "trainer.max_epochs=1", *first])
    return f"{declared.study}: the time is unknown; estimate it by one epoch of each kind: {command}"


def _finished(folder: Path) -> Finished | None:
    """A finished run's cost; None if it is of an earlier fbm, damaged, or of too few steps."""
    summary = summary_if_whole(folder)
    if summary is None or summary.seconds is None or summary.epochs is None or summary.label_fraction is None:
        return None
    try:
        config = yaml.safe_load((folder / CONFIG).read_text())
        clips, speed = summary.samples, summary.throughput["clips_per_second"] or 0.0
        batch, trainer = config["data"]["batch_size"], config["trainer"]
        train = _limited(clips["train"] // batch * batch or clips["train"], trainer["limit_train_batches"], batch)
        val = _limited(clips["val"], trainer["limit_val_batches"], batch)
        epoch = (train + FORWARD * val) / speed
        beside = max(0.0, summary.seconds - summary.epochs * epoch)
        hardware = summary.hardware
        device = hardware["cpu"] if hardware["device"] == "cpu" else hardware["name"]
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        return Finished(config, Cost(epoch, beside, size, device), summary.label_fraction)
    except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError, yaml.YAMLError):
        return None


def _limited(clips: int, limit: int | float | None, batch: int) -> int:
    """The clips of a split in an epoch: Lightning's limits are a number of batches, or a share of them."""
    if limit is None:
        return clips
    return min(clips, limit * batch) if isinstance(limit, int) else int(clips * limit)


def _is_like(config: Mapping[str, Any], job: Mapping[str, Any]) -> bool:
    """Whether a run's config is of the same kind as a job's, whose device-dependent settings may be open."""
    ours, theirs = _kind(job), _kind(config)
    return all(
        setting(ours, key) == setting(theirs, key)
        or (setting(ours, key) is None and key in ("trainer.precision", "float32_matmul"))
        for key in {*ours, *theirs}
    )


def _kind(config: Mapping[str, Any]) -> dict[str, Any]:
    return flatten(
        {
            **{key: config.get(key) for key in KIND},
            "data": {key: config["data"].get(key) for key in KIND_OF_DATA},
            "trainer": {key: config["trainer"].get(key) for key in KIND_OF_TRAINER},
        }
    )
