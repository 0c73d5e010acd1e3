"""Runs that are ended at chosen moments and started again, and what has to be the same as in a run left alone."""

import csv
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pytorch_lightning.trainer import call
from torch import Tensor

from fbm.data.batch import ClipBatch
from fbm.runs.checkpoint_io import AtomicCheckpointIO
from fbm.tasks.task import Task
from fbm.training.callbacks import PreemptionCheckpoint, Throughput
from fbm.training.callbacks.preemption import RESUME


class Killed(BaseException):
    """Ends a run from inside; nothing of ours catches it."""


class Moment:
    """A hook that Lightning is about to call, in an epoch and, for the hooks of a batch, at a batch of it."""

    def __init__(self, hook: str, epoch: int = 0, batch: int | None = None) -> None:
        self.hook, self.epoch, self.batch = hook, epoch, batch

    def __repr__(self) -> str:
        return f"{self.hook}-{self.epoch}" + (f"-{self.batch}" if self.batch is not None else "")

    def is_now(self, trainer: Any, hook: str, values: tuple[Any, ...]) -> bool:
        # Batches' hooks end with the batch's number.
        here = self.batch is None or bool(values and values[-1] == self.batch)
        return hook == self.hook and here and trainer.current_epoch == self.epoch


def end_at(patch: pytest.MonkeyPatch, moment: Moment, how: Any = Killed) -> None:
    """End the next run at a moment, by raising `how` or calling it; Lightning's calls go on as they were after that."""
    real = call._call_callback_hooks

    def watched(trainer: Any, hook: str, *values: Any, **more: Any) -> None:
        if moment.is_now(trainer, hook, values):
            patch.setattr(call, "_call_callback_hooks", real)
            if isinstance(how, type):
                raise how
            how()
        real(trainer, hook, *values, **more)

    patch.setattr(call, "_call_callback_hooks", watched)


def killed(run: Callable[[], Any], moment: Moment) -> None:
    """Kill what `run` starts at a moment."""
    with pytest.MonkeyPatch.context() as patch:
        end_at(patch, moment)
        patch.setattr(AtomicCheckpointIO, "teardown", lambda _: None)  # a killed process writes nothing more
        with pytest.raises(Killed):
            run()


def pass_minutes(patch: pytest.MonkeyPatch, minutes: float, hook: str = "on_train_batch_start") -> None:
    """Let so many minutes pass at each call of a hook, for what is saved by time."""
    real = getattr(Throughput, hook)

    def later(self: Throughput, trainer: Any, *more: Any) -> None:
        next(one for one in trainer.callbacks if isinstance(one, PreemptionCheckpoint)).saved_at -= 60 * minutes
        real(self, trainer, *more)

    patch.setattr(Throughput, hook, later)


def draw_everywhere(patch: pytest.MonkeyPatch) -> None:
    """Have every step draw from all of a process's random generators, so that none may be forgotten."""
    real = Task.inputs

    def noisy(task: Task, batch: ClipBatch) -> tuple[Tensor, Tensor]:
        clip, masks = real(task, batch)
        return clip + 0.1 * torch.randn_like(clip) * np.random.rand() * random.random(), masks

    patch.setattr(Task, "inputs", noisy)


def load(run: Path, name: str) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(run / "checkpoints" / f"{name}.ckpt", weights_only=True)
    return content


def rows(run: Path) -> list[dict[str, str]]:
    """`metrics.csv` but for the times."""
    with (run / "metrics.csv").open() as file:
        return [_without_times(row) for row in csv.DictReader(file)]


def summary(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / "summary.json").read_text())
    return content


def assert_same(run: Path, alone: Path) -> None:
    """Both runs ended alike, to the bit."""
    last, others = load(run, "last"), load(alone, "last")
    for part in ("optimizer_states", "lr_schedulers", "loops"):
        assert same(last[part], others[part]), part
    for part in ("random", "place", "should_stop", "trained"):
        assert same(last[RESUME][part], others[RESUME][part]), part
    assert same(_judgement(last), _judgement(others))
    for name in ("best", "last"):
        one, other = load(run, name), load(alone, name)
        assert one.keys() == other.keys()
        for part in ("state_dict", "epoch", "global_step"):
            assert same(one[part], other[part]), (name, part)
        assert _without_times(one["fbm"]["metrics"]) == _without_times(other["fbm"]["metrics"])
        assert one["fbm"]["epoch"] == other["fbm"]["epoch"]
    assert rows(run) == rows(alone)
    ours, theirs = summary(run), summary(alone)
    assert _without_times(ours["metrics"]) == _without_times(theirs["metrics"])
    for key in ("best_epoch", "epochs", "confusion", "video_confusion", "samples"):
        assert ours[key] == theirs[key], key


def same(one: Any, other: Any) -> bool:
    """Equal to the bit, tensors in containers included."""
    if isinstance(one, Tensor):
        return isinstance(other, Tensor) and one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return isinstance(other, dict) and one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return type(one) is type(other) and bool(one == other)


def _without_times(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if not key.startswith("time/")}


def _judgement(content: dict[str, Any]) -> list[Any]:
    """What the callbacks think of the training so far, but for where files are and what Lightning does not restore."""
    places = ("dirpath", "best_model_path", "kth_best_model_path", "last_model_path", "best_k_models", "current_score")
    return [
        {key: value for key, value in state.items() if key not in places} for state in content["callbacks"].values()
    ]
