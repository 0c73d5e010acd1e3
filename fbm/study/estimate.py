"""What is left of a study will take about so long and so much disk, by runs of the same kind that are finished."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from rich.filesize import decimal

from fbm.config.compose import flatten
from fbm.config.overrides import text
from fbm.runs.files import CONFIG, SUMMARY
from fbm.study.declared import StudySpec, grid
from fbm.study.job import Job
from fbm.utils.durations import duration

# What decides how long a step takes and how many an epoch has.
KIND = ("task_name", "task", "encoder", "compile", "activation_checkpointing", "float32_matmul")
KIND_OF_DATA = ("store", "size", "chunk_frames", "clip_frames", "batch_size")
KIND_OF_TRAINER = ("accelerator", "devices", "num_nodes", "precision", "limit_train_batches", "limit_val_batches")
FORWARD = 1 / 3  # of a training step: backwards is twice as much


@dataclass(frozen=True)
class Cost:
    """What one run takes.

    Attributes:
        epoch: seconds, validation included.
        beside: seconds that are of no epoch: start, checkpoints, test.
        bytes: of the run folder.
        device: that the run was on which tells.
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
    """A finished run that tells how long others take."""

    config: dict[str, Any]
    cost: Cost
    fraction: float  # of the labelled groups


def costs(jobs: Iterable[Job], outputs: Path = Path("outputs")) -> dict[Path, Cost]:
    """By run folder, what each job takes by the newest finished run of its kind; jobs of no known kind are not in it.

    Args:
        outputs: studies with finished runs.
    """
    paths = sorted(outputs.glob(f"*/*/{SUMMARY}"), key=lambda path: path.stat().st_mtime, reverse=True)
    known = [run for path in paths if (run := _finished(path)) is not None]
    found: dict[Path, Cost] = {}
    for job in jobs:
        alike = next((run for run in known if _is_like(run.config, job.content)), None)
        if alike is not None:
            share = job.content["data"]["label_fraction"] / alike.fraction
            found[job.folder] = replace(alike.cost, epoch=alike.cost.epoch * share)
    return found


def expected(declared: StudySpec, jobs: Sequence[Job]) -> str:
    """A line on what the unfinished jobs take, one after the other; empty where not all are of a known kind."""
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
    """A line on how to find out what the unfinished jobs take: one epoch of each kind. Empty where none is left.

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
    return f"{declared.study}: how long is not known; one epoch of each kind tells: {command}"


def _finished(summary: Path) -> Finished | None:
    """What a finished run tells; None where it tells nothing: an earlier fbm's, damaged, or of too few steps."""
    try:
        content = json.loads(summary.read_text())
        config = yaml.safe_load((summary.parent / CONFIG).read_text())
        clips, speed = content["samples"], content["throughput"]["clips_per_second"]
        batch, trainer = config["data"]["batch_size"], config["trainer"]
        train = _limited(clips["train"] // batch * batch or clips["train"], trainer["limit_train_batches"], batch)
        val = _limited(clips["val"], trainer["limit_val_batches"], batch)
        epoch = (train + FORWARD * val) / speed
        beside = max(0.0, content["seconds"] - content["epochs"] * epoch)
        hardware = content["hardware"]
        device = hardware["cpu"] if hardware["device"] == "cpu" else hardware["name"]
        size = sum(path.stat().st_size for path in summary.parent.rglob("*") if path.is_file())
        return Finished(config, Cost(epoch, beside, size, device), float(content["label_fraction"]))
    except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError, yaml.YAMLError):
        return None


def _limited(clips: int, limit: int | float | None, batch: int) -> int:
    """How many of a split's clips an epoch has: Lightning's limits are a number of batches, or a share of them."""
    if limit is None:
        return clips
    return min(clips, limit * batch) if isinstance(limit, int) else int(clips * limit)


def _is_like(config: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether a run's config is of the same kind as a job's, in which the device may still be to choose from."""
    ours, theirs = _kind(wanted), _kind(config)
    return ours.keys() == theirs.keys() and all(
        value == theirs[key] or (value is None and key in ("trainer.precision", "float32_matmul"))
        for key, value in ours.items()
    )


def _kind(config: Mapping[str, Any]) -> dict[str, Any]:
    return flatten(
        {
            **{key: config.get(key) for key in KIND},
            "data": {key: config["data"].get(key) for key in KIND_OF_DATA},
            "trainer": {key: config["trainer"].get(key) for key in KIND_OF_TRAINER},
        }
    )
