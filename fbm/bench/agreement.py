"""Does a training step in a fast precision compute what it computes in true float32? Losses, and every gradient."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from fbm.batch import ClipBatch
from fbm.bench.prepared import prepared
from fbm.bench.programs import loss_of
from fbm.tasks.task import PretrainingTask, Task

NEGLIGIBLE = 1e-6  # a gradient of so small a share of the whole one is rounding, and has no direction
WORST = 5


@dataclass(frozen=True)
class Tolerance:
    """How far two passes may be from each other.

    Attributes:
        loss: relative.
        whole: least cosine between the gradients of all weights together.
        weight: least cosine between the gradients of one weight.
        norm: most that the norm of a weight's gradient may be off, relative.
    """

    loss: float
    whole: float
    weight: float
    norm: float


# float32 differs in the order of its sums alone; TF32 has 11 bits, bf16 8. A gradient has passed some twenty roundings,
# and maxima and ReLUs that rounding tips over: in bf16, of a tiny network, single weights had cosines down to 0.86 and
# norms 0.28 off, all weights together 0.987. An error is an eighth as large in TF32. A fault (a factor, a missing term,
# another layout) is far outside.
TOLERANCES = {
    "float32": Tolerance(loss=1e-4, whole=0.9999, weight=0.999, norm=0.02),
    "TF32": Tolerance(loss=2e-3, whole=0.999, weight=0.98, norm=0.1),
    "bf16": Tolerance(loss=2e-2, whole=0.95, weight=0.7, norm=0.5),
}


@dataclass(frozen=True)
class Pass:
    """One forward and backward pass: losses by name, gradients by weight in float32 on the processor."""

    losses: dict[str, float]
    gradients: dict[str, Tensor]
    without: list[str]  # weights that are trained and got no gradient


@dataclass(frozen=True)
class Agreement:
    """How a pass compares with a true one; `beyond` says what is outside the tolerance, nothing where they agree.

    Attributes:
        loss: the largest relative difference of any loss.
        whole: cosine between all gradients together.
        worst: the weights whose gradients differ most in direction, with the cosine.
        norm: the largest relative difference of the norm of a weight's gradient.
    """

    loss: float
    whole: float
    worst: dict[str, float]
    norm: float
    beyond: list[str] = field(default_factory=list)


def agreement(settings: list[str]) -> dict[str, Any]:
    """Passes of the run that `settings` describe, in the precisions that its device has, against true float32.

    On a GPU its true float32 is held against the processor's, then TF32 and bf16 against its own; on a processor bf16
    against float32.

    Returns:
        By comparison the fields of its `Agreement`.
    """
    # Algorithms by trial would be tried for one pass alone.
    with prepared([*settings, "trainer.precision=bf16-mixed", "trainer.benchmark=false"], 1) as parts:
        device = parts.trainer.strategy.root_device
        task = parts.task.train()
        batch = smooth_batch(parts.data.batch_size, task.encoder.frames, task.encoder.size, task.masked)
        before = {name: buffer.clone() for name, buffer in task.network.named_buffers()}

        def run(precision: AbstractContextManager[Any], products: str = "highest") -> Pass:
            for name, buffer in task.network.named_buffers():
                buffer.copy_(before[name])
            with products_of_float32(products):
                return one_pass(task, batch.moved(task.device), precision)

        found = {}
        true = run(nullcontext())
        if device.type == "cuda":
            task.to(device)
            there = run(nullcontext())
            found["float32, GPU and processor"] = compare(there, true, TOLERANCES["float32"])
            true = there
            found["TF32 and float32"] = compare(run(nullcontext(), "high"), true, TOLERANCES["TF32"])
        found["bf16 and float32"] = compare(
            run(parts.trainer.precision_plugin.forward_context()), true, TOLERANCES["bf16"]
        )
    return {name: asdict(one) for name, one in found.items()}


@contextmanager
def products_of_float32(how: str) -> Iterator[None]:
    """How exact products and convolutions of float32 are inside; "highest" is float32 itself, without TF32."""
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision(how)
    torch.backends.cudnn.allow_tf32 = how != "highest"
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]


def one_pass(task: Task, batch: ClipBatch, precision: AbstractContextManager[Any]) -> Pass:
    """Losses and gradients of a batch, whose forward pass is made in a precision."""
    task.zero_grad(set_to_none=True)
    with precision:
        terms = task.terms(batch) if isinstance(task, PretrainingTask) else {"loss": loss_of(task, batch)}
    terms["loss"].backward()  # type: ignore[no-untyped-call]
    trained = {name: weight for name, weight in task.network.named_parameters() if weight.requires_grad}
    gradients = {name: weight.grad.float().cpu() for name, weight in trained.items() if weight.grad is not None}
    task.zero_grad(set_to_none=True)
    losses = {name: float(value.detach()) for name, value in terms.items()}
    return Pass(losses, gradients, sorted(trained.keys() - gradients.keys()))


def compare(found: Pass, true: Pass, tolerance: Tolerance) -> Agreement:
    """Hold a pass against a true one."""
    beyond = [f"{name} has no gradient" for name in sorted({*found.without, *true.without})]
    for name, values in found.gradients.items():
        if not bool(values.isfinite().all()):
            beyond.append(f"the gradient of {name} holds values that are no numbers")
    losses = {name: _relative(found.losses[name], value) for name, value in true.losses.items()}
    for name, difference in losses.items():
        if not difference <= tolerance.loss:
            said = f"{found.losses[name]:.6g} instead of {true.losses[name]:.6g}"
            beyond.append(f"{name} is {said}, more than {tolerance.loss:g} off")
    shared = sorted(found.gradients.keys() & true.gradients.keys())
    products = {name: _products(found.gradients[name], true.gradients[name]) for name in shared}
    whole = _cosine([sum(each) for each in zip(*products.values(), strict=True)])
    if not whole >= tolerance.whole:
        beyond.append(f"all gradients together have a cosine of {whole:.5f}, below {tolerance.whole:g}")
    least = NEGLIGIBLE**2 * sum(each[2] for each in products.values())
    telling = {name: each for name, each in products.items() if not each[2] <= least}
    cosines = {name: _cosine(each) for name, each in telling.items()}
    norms = {name: _relative(each[1] ** 0.5, each[2] ** 0.5) for name, each in telling.items()}
    beyond += _outside("cosine", cosines, {name: value >= tolerance.weight for name, value in cosines.items()})
    beyond += _outside("norm, relative", norms, {name: value <= tolerance.norm for name, value in norms.items()})
    worst = dict(sorted(cosines.items(), key=lambda pair: pair[1])[:WORST])
    return Agreement(max(losses.values()), whole, worst, max(norms.values(), default=0.0), beyond)


def _outside(what: str, values: Mapping[str, float], within: Mapping[str, bool]) -> list[str]:
    return [f"the gradient of {name}: {what} {values[name]:.4f}" for name, fits in within.items() if not fits]


def _products(found: Tensor, true: Tensor) -> tuple[float, float, float]:
    """Of two tensors as vectors: a b, a a, b b."""
    a, b = found.flatten().double(), true.flatten().double()
    return float(a @ b), float(a @ a), float(b @ b)


def _cosine(products: Any) -> float:
    both, found, true = products
    return float(both / (found * true) ** 0.5) if found and true else 0.0


def _relative(found: float, true: float) -> float:
    return abs(found - true) / max(abs(true), 1e-12)


def smooth_batch(clips: int, frames: int, size: int, masked: Any) -> ClipBatch:
    """Clips of smooth colours that change slowly, with a square as foreground.

    Noise would not do: its clips look alike to a network that averages, and batch norm makes much of what is left.

    Args:
        masked: as a task's.
    """
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(clips, 3, 4, 6, 6, generator=generator)
    smooth = F.interpolate(coarse, (frames, size, size), mode="trilinear", align_corners=True)
    masks = torch.zeros(clips, frames if masked is None else len(masked), size, size, dtype=torch.uint8)
    masks[:, :, size // 4 : size // 2, size // 4 : size // 2] = 1
    number = torch.arange(clips)
    return ClipBatch(
        frames=(255 * smooth).byte().permute(0, 2, 3, 4, 1).contiguous(),
        masks=masks,
        label=number % 2,
        video=number,
        sample=number,
        counted=torch.ones(clips, dtype=torch.bool),
    )
