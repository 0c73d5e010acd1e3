"""The programs whose training steps are compared. Each gives what it measured, and can be run in one process after
another, or in one of its own, which no other has warmed up."""

import resource
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import cycle, islice, pairwise
from typing import Any

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor
from torch._dynamo.utils import counters

from benchmarks.floor import Floor, floor
from benchmarks.memory import Memory, needed
from benchmarks.plain import plain_batches, plain_loss
from benchmarks.prepared import prepared
from benchmarks.profiles import Profile, profiled
from fbm.data.batch import ClipBatch
from fbm.tasks.task import PretrainingTask, Task
from fbm.training.callbacks.throughput import Throughput, wait_for
from fbm.training.components import Components
from fbm.utils.machine import configure_malloc

WARM = 3  # steps before the first that counts


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
            metrics; "plain" the straightforward program; "floor" the convolutions and products alone; "profile" is
            where the bare loop's time goes.
    """
    torch.compiler.reset()  # what an earlier program in this process compiled
    with prepared(settings, WARM + steps) as parts:
        if program != "plain":
            configure_malloc()
        return PROGRAMS[program](parts, steps)


class _Clock(pl.Callback):
    """From the start of the first step that counts to the end of the epoch's last one, data and callbacks included."""

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if batch_idx == WARM:
            wait_for(pl_module.device)
            self.began = time.perf_counter()
            self.marks = [_mark(pl_module.device)]

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if batch_idx >= WARM:
            self.marks.append(_mark(pl_module.device))
        if trainer.is_last_batch:
            wait_for(pl_module.device)
            self.seconds = (time.perf_counter() - self.began) / (batch_idx + 1 - WARM)

    @property
    def median(self) -> float:
        """Seconds of a step, of all that count."""
        seconds: float = statistics.median(
            end - begin if isinstance(begin, float) else 1e-3 * begin.elapsed_time(end)
            for begin, end in pairwise(self.marks)
        )
        return seconds


def _mark(device: torch.device) -> Any:
    """A moment: of the clock, or in what a GPU is given to do."""
    if device.type != "cuda":
        return time.perf_counter()
    event = torch.cuda.Event(enable_timing=True)
    event.record()
    return event


def _ours(parts: Components, steps: int) -> Measured:
    for _ in parts.data.train_dataloader():  # as in every epoch but the first, all files are known to be right
        pass
    clock, throughput = _Clock(), Throughput()
    callbacks: list[pl.Callback] = parts.trainer.callbacks  # type: ignore[attr-defined]  # declared by no one
    callbacks[:] = [*(each for each in callbacks if not isinstance(each, Throughput)), throughput, clock]
    device = parts.trainer.strategy.root_device
    before = _memory_before(device)
    counters.clear()
    parts.trainer.fit(parts.task, parts.data)  # after which the task is on the processor again
    detail: dict[str, Any] = {"median": clock.median, "graphs": counters["stats"]["unique_graphs"]}
    if throughput.clip_flops:
        flops = throughput.clip_flops * parts.data.batch_size
        detail |= {"flops": flops, "flop_share": flops / clock.seconds / throughput.peak}
    return Measured(clock.seconds, _memory(device) - before, detail)


def _bare(parts: Components, steps: int) -> Measured:
    device = parts.trainer.strategy.root_device
    task = parts.task.to(device).train()
    batches = [batch.moved(device) for batch in islice(parts.data.train_dataloader(), 4)]
    return _loop(parts, lambda batch: loss_of(task, batch), cycle(batches), steps)


def _profile(parts: Components, steps: int) -> Measured:
    device = parts.trainer.strategy.root_device
    task = parts.task.to(device)
    (batch,) = (batch.moved(device) for batch in islice(parts.data.train_dataloader(), 1))
    step = _step(parts, lambda batch: loss_of(task, batch))
    for _ in range(WARM):
        step(batch)
    found: Profile = profiled(lambda: step(batch), device, steps)
    return Measured(found.wall / steps, 0, {"profile": found})


def _plain(parts: Components, steps: int) -> Measured:
    device = parts.trainer.strategy.root_device
    step = plain_loss(parts.task.to(device))
    batches = (
        [tensor.to(device) for tensor in batch]
        for batch in plain_batches(parts.data.clips["train"], parts.data.batch_size)
    )
    return _loop(parts, step, batches, steps)


def _floor(parts: Components, steps: int) -> Measured:
    device = parts.trainer.strategy.root_device
    task = parts.task.to(device).train()
    (batch,) = (batch.moved(device) for batch in islice(parts.data.train_dataloader(), 1))
    with _precision(parts):
        found: Floor = floor(lambda: loss_of(task, batch), device)
        memory: Memory = needed(lambda: loss_of(task, batch), task.network)
    return Measured(found.seconds, 0, {"floor": found, "memory": memory})


PROGRAMS = {"ours": _ours, "bare": _bare, "plain": _plain, "floor": _floor, "profile": _profile}


def _loop(parts: Components, loss_of_batch: Callable[[Any], Tensor], batches: Iterator[Any], steps: int) -> Measured:
    """Forward, backward, optimiser, and nothing else but what makes the batches."""
    device = parts.trainer.strategy.root_device
    step = _step(parts, loss_of_batch)
    before = _memory_before(device)
    began = 0.0
    for number, batch in enumerate(islice(batches, WARM + steps)):
        if number == WARM:
            wait_for(device)
            began = time.perf_counter()
        step(batch)
    wait_for(device)
    return Measured((time.perf_counter() - began) / steps, _memory(device) - before)


def _step(parts: Components, loss_of_batch: Callable[[Any], Tensor]) -> Callable[[Any], None]:
    """A training step without Lightning."""
    task = parts.task.train()
    made: Any = task.configure_optimizers()
    optimizer = made["optimizer"] if isinstance(made, dict) else made

    def step(batch: Any) -> None:
        with _precision(parts):
            loss = loss_of_batch(batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def loss_of(task: Task, batch: ClipBatch) -> Tensor:
    """The loss of one batch, by a task that logs nothing."""
    if isinstance(task, PretrainingTask):
        return task.loss_terms(batch)["loss"]
    return F.cross_entropy(task.network(task.inputs(batch)[0]), batch.label)


def _precision(parts: Components) -> AbstractContextManager[Any]:
    """What Lightning's precision puts around a forward pass."""
    context: AbstractContextManager[Any] = parts.trainer.precision_plugin.forward_context()
    return context


def _memory_before(device: torch.device) -> int:
    """Bytes before something is measured. A GPU's peak is reset here; a process's never falls."""
    if device.type == "cuda":
        torch.cuda.init()  # or there would be no count yet
        torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.memory_allocated(device)
    return _memory(device)


def _memory(device: torch.device) -> int:
    """Bytes at the most so far."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
