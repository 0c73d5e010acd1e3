"""What the device needs for a step's convolutions and matrix products alone, and where the rest of a step goes."""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode

from fbm.callbacks.throughput import wait_for

REPEATS = 3
AT_ONCE = 5  # calls whose time is taken together
PRODUCTS = ("convolution", "convolution_backward", "mm", "addmm", "bmm", "baddbmm")
KINDS = {
    "convolutions and products": ("conv", "mm", "mkldnn", "cudnn_conv", "linear"),
    "batch norm": ("batch_norm",),
    "activations and pooling": ("relu", "threshold", "pool", "tanh"),
    "optimiser": ("foreach", "fused_adam", "addcdiv", "addcmul", "lerp"),
}


@dataclass(frozen=True)
class Floor:
    """Seconds of a step's products, how many there are, and each kind's share of a whole forward and backward pass."""

    seconds: float
    products: int
    shares: dict[str, float]


@dataclass(frozen=True)
class _Shape:
    """A tensor without its values."""

    size: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: torch.dtype

    def made(self, device: torch.device) -> Tensor:
        return torch.empty_strided(self.size, self.stride, dtype=self.dtype, device=device).normal_()


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes every product with the shapes and layouts of what it was given."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: Counter[Any] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket.__name__ in PRODUCTS:
            self.calls[func, _frozen(args), _frozen(tuple((kwargs or {}).items()))] += 1
        return func(*args, **(kwargs or {}))


def _frozen(value: Any) -> Any:
    if isinstance(value, Tensor):
        return _Shape(tuple(value.shape), value.stride(), value.dtype)
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value


def floor(loss: Callable[[], Tensor], device: torch.device) -> Floor:
    """Record the products of one forward and backward pass, then run each of them alone on random values."""
    recorder = _Recorder()
    with recorder:
        loss().backward()  # type: ignore[no-untyped-call]
    seconds = 0.0
    for (func, args, kwargs), count in recorder.calls.items():
        given, named = _thawed(args, device), dict(_thawed(kwargs, device))
        seconds += count * min(_timed(partial(func, *given, **named), device) for _ in range(REPEATS))
    return Floor(seconds, recorder.calls.total(), _shares(loss, device))


def _thawed(value: Any, device: torch.device) -> Any:
    if isinstance(value, _Shape):
        return value.made(device)
    # Only what was a list or a tuple holds others; the operators take either.
    return tuple(_thawed(inner, device) for inner in value) if isinstance(value, tuple) else value


def _timed(call: Callable[[], Any], device: torch.device) -> float:
    """Seconds of one call, of several in a row after a first."""
    call()
    wait_for(device)
    began = time.perf_counter()
    for _ in range(AT_ONCE):
        call()
    wait_for(device)
    return (time.perf_counter() - began) / AT_ONCE


def _shares(loss: Callable[[], Tensor], device: torch.device) -> dict[str, float]:
    """Of the time inside operators, by their kind."""
    on_gpu = device.type == "cuda"
    with profile(activities=[ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]) as seen:
        loss().backward()  # type: ignore[no-untyped-call]
        wait_for(device)
    return shares_of(seen.key_averages(), on_gpu)


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
    return {kind: value / total for kind, value in spent.most_common()}
