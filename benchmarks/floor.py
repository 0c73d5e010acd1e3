"""What the device needs for a step's convolutions and matrix products alone, and where the rest of a step goes."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.profiles import profiled
from fbm.training.callbacks.throughput import wait_for

REPEATS = 3
AT_ONCE = 5  # calls whose time is taken together
PRODUCTS = ("convolution", "convolution_backward", "mm", "addmm", "bmm", "baddbmm")


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


class _Recorder(TorchDispatchMode):
    """Notes every product with the shapes and layouts of what it was given."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # not excluded by a base class's module
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
        loss().backward()
    seconds = 0.0
    for (func, args, kwargs), count in recorder.calls.items():
        given, named = _thawed(args, device), dict(_thawed(kwargs, device))
        seconds += count * min(_timed(partial(func, *given, **named), device) for _ in range(REPEATS))
    return Floor(seconds, recorder.calls.total(), profiled(lambda: loss().backward(), device).shares)


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
