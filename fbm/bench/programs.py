"""The programs whose training steps are compared. Each is run in a process of its own and gives what it measured."""

import io
import resource
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, redirect_stdout
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor

from fbm.assemble import Parts, assemble, settle_device
from fbm.batch import ClipBatch
from fbm.bench.floor import Floor, floor
from fbm.bench.made_store import make_store
from fbm.bench.memory import Memory, needed
from fbm.bench.plain import plain_batches, plain_loss
from fbm.callbacks.throughput import wait_for
from fbm.config import check_run, compose
from fbm.data.ucf101 import UCF101
from fbm.machine import keep_memory, quiet
from fbm.tasks.task import PretrainingTask, Task

WARM = 3  # steps before the first that counts
CHUNK = 34  # frames of a made video: one chunk and two to spare


@dataclass(frozen=True)
class Measured:
    """What a program's process found.

    Attributes:
        seconds: mean of a training step.
        peak: bytes of its memory at the most, less those before it began: of the device, or of the process.
        detail: what only some programs tell.
    """

    seconds: float
    peak: int
    detail: dict[str, Any] = field(default_factory=dict)


def measure(program: str, settings: list[str], steps: int) -> Measured:
    """Run one program for WARM and then so many steps of the run that `settings` describe.

    Args:
        program: "ours" is the whole of `fbm train`; "bare" a loop over the same network without Lightning, data and
            metrics; "plain" the straightforward program; "floor" the convolutions and products alone.
    """
    quiet()
    warnings.simplefilter("ignore")  # that an epoch is short, that there is no validation: both as wanted
    with tempfile.TemporaryDirectory() as place, redirect_stdout(io.StringIO()):
        config = compose([*settings, f"run_dir={place}/run", "logger=csv", "callbacks.progress=null"])
        videos = (WARM + steps) * config.data.batch_size
        make_store(Path(place, "store"), videos, config.data.size, max(CHUNK, config.data.chunk_frames))
        config.data.store, config.data.validation = f"{place}/store", UCF101.validation
        config.trainer.max_epochs = 1
        config.callbacks.gallery = config.callbacks.probes = config.callbacks.confusion = None  # once in many epochs
        check_run(config)
        settle_device(config)
        if program != "plain":
            keep_memory()
        parts = assemble(config, "bench")
        return PROGRAMS[program](parts, steps)


class _Clock(pl.Callback):
    """From the start of the first step that counts to the end of the epoch's last one, data and callbacks included."""

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if batch_idx == WARM:
            wait_for(pl_module.device)
            self.began = time.perf_counter()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.is_last_batch:
            wait_for(pl_module.device)
            self.seconds = (time.perf_counter() - self.began) / (batch_idx + 1 - WARM)


def _ours(parts: Parts, steps: int) -> Measured:
    for _ in parts.data.train_dataloader():  # as in every epoch but the first, all files are known to be right
        pass
    clock = _Clock()
    parts.trainer.callbacks.append(clock)  # type: ignore[attr-defined]  # declared by no one
    before = _memory(parts.trainer.strategy.root_device)
    parts.trainer.fit(parts.task, parts.data)
    metrics = {name: float(value) for name, value in parts.trainer.callback_metrics.items() if name.startswith("time/")}
    return Measured(clock.seconds, _memory(parts.task.device) - before, metrics)


def _bare(parts: Parts, steps: int) -> Measured:
    device = parts.trainer.strategy.root_device
    task = parts.task.to(device).train()
    batches = [batch.moved(device) for batch in islice(parts.data.train_dataloader(), 4)]
    return _loop(parts, lambda batch: loss_of(task, batch), cycle(batches), steps)


def _plain(parts: Parts, steps: int) -> Measured:
    device = parts.trainer.strategy.root_device
    step = plain_loss(parts.task.to(device))
    batches = (
        [tensor.to(device) for tensor in batch]
        for batch in plain_batches(parts.data.clips["train"], parts.data.batch_size)
    )
    return _loop(parts, step, batches, steps)


def _floor(parts: Parts, steps: int) -> Measured:
    device = parts.trainer.strategy.root_device
    task = parts.task.to(device).train()
    (batch,) = (batch.moved(device) for batch in islice(parts.data.train_dataloader(), 1))
    with _precision(parts):
        found: Floor = floor(lambda: loss_of(task, batch), device)
        memory: Memory = needed(lambda: loss_of(task, batch), task.network)
    return Measured(found.seconds, 0, {"floor": found, "memory": memory})


PROGRAMS = {"ours": _ours, "bare": _bare, "plain": _plain, "floor": _floor}


def _loop(parts: Parts, loss_of_batch: Callable[[Any], Tensor], batches: Iterator[Any], steps: int) -> Measured:
    """Forward, backward, optimiser, and nothing else but what makes the batches."""
    task, device = parts.task, parts.trainer.strategy.root_device
    task.train()
    made: Any = task.configure_optimizers()
    optimizer = made["optimizer"] if isinstance(made, dict) else made
    before = _memory(device)
    began = 0.0
    for number, batch in enumerate(islice(batches, WARM + steps)):
        if number == WARM:
            wait_for(device)
            began = time.perf_counter()
        with _precision(parts):
            loss = loss_of_batch(batch)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    wait_for(device)
    return Measured((time.perf_counter() - began) / steps, _memory(device) - before)


def loss_of(task: Task, batch: ClipBatch) -> Tensor:
    """The loss of one batch, by a task that logs nothing."""
    if isinstance(task, PretrainingTask):
        return task.terms(batch)["loss"]
    return F.cross_entropy(task.network(task.inputs(batch)[0]), batch.label)


def _precision(parts: Parts) -> AbstractContextManager[Any]:
    """What Lightning's precision puts around a forward pass."""
    context: AbstractContextManager[Any] = parts.trainer.precision_plugin.forward_context()
    return context


def _memory(device: torch.device) -> int:
    """Bytes at the most so far."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
