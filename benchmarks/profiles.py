"""Where the time of a step goes: by kind of operator, and by kernel."""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from fbm.training.callbacks.throughput import wait_for

KINDS = {
    "convolutions and products": ("conv", "mm", "mkldnn", "cudnn_conv", "linear"),
    "batch norm": ("batch_norm",),
    "activations and pooling": ("relu", "threshold", "pool", "tanh"),
    "optimiser": ("foreach", "fused_adam", "addcdiv", "addcmul", "lerp"),
}


@dataclass(frozen=True)
class Kernel:
    """A kernel of a GPU, or an operator of the processor: how often it ran, and seconds, in all calls together."""

    name: str
    count: int
    seconds: float


@dataclass(frozen=True)
class Profile:
    """What so many calls took.

    Attributes:
        wall: seconds from the first call to the end of the last one, with the profiler's own work.
        seconds: of all kernels, or of all operators on a processor.
        shares: of the time in operators, by kind, the largest first.
        kernels: the longest first.
    """

    wall: float
    seconds: float
    shares: dict[str, float]
    kernels: list[Kernel]


def profiled(call: Callable[[], Any], device: torch.device, times: int = 1) -> Profile:
    """Profile some calls in a row."""
    on_gpu = device.type == "cuda"
    wait_for(device)
    with profile(activities=[ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]) as seen:
        began = time.perf_counter()
        for _ in range(times):
            call()
        wait_for(device)
        wall = time.perf_counter() - began
    events = list(seen.key_averages())
    kernels = kernels_of(events, on_gpu)
    return Profile(wall, sum(kernel.seconds for kernel in kernels), shares_of(events, on_gpu), kernels)


def shares_of(events: Iterable[Any], on_gpu: bool) -> dict[str, float]:
    """Each kind's share of the time in a profile's averages, the largest first.

    A GPU's kernels are there twice: as the time on the device of the operators that launched them, and as events of
    their own. The operators count, for their names tell the kind.
    """
    spent: Counter[str] = Counter()
    for event in events:
        if event.device_type.name == "CPU":
            words_in = (kind for kind, words in KINDS.items() if any(word in event.key for word in words))
            kind = next(words_in, "all others")
            spent[kind] += event.self_device_time_total if on_gpu else event.self_cpu_time_total
    total = sum(spent.values())
    return {kind: value / total for kind, value in spent.most_common() if value}


def kernels_of(events: Iterable[Any], on_gpu: bool) -> list[Kernel]:
    """The kernels in a profile's averages, or a processor's operators, the longest first."""
    found = [
        Kernel(event.key, event.count, 1e-6 * (event.self_device_time_total if on_gpu else event.self_cpu_time_total))
        for event in events
        # Ranges that a program marks lie over the kernels in them.
        if event.device_type.name == ("CUDA" if on_gpu else "CPU") and not (on_gpu and event.is_user_annotation)
    ]
    return sorted(found, key=lambda kernel: -kernel.seconds)
