"""Does a training step in a fast precision compute what it computes in true float32? Losses, and every gradient."""

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.prepared import prepared
from benchmarks.programs import loss_of
from fbm.data.batch import ClipBatch
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
        rounding: how many times as far off as by weights rounded to bf16, in true float32, any gradient may be all the
            same. Where batch norm or a sum that cancels magnifies rounding, no figure that is right elsewhere holds.
    """

    loss: float
    whole: float
    weight: float
    norm: float
    rounding: float


# float32 differs in the order of its sums alone; TF32 has 11 bits, bf16 8. A gradient has passed some twenty roundings,
# and maxima and ReLUs that rounding tips over: in bf16, of tiny networks with group norm, single weights had cosines
# down to 0.86 and norms 0.28 off, all weights together 0.987; with batch norm over a few values, what was further off
# was so by up to 3.4 times what rounded weights made of it. An error is an eighth as large in TF32.
TOLERANCES = {
    "float32": Tolerance(loss=1e-4, whole=0.9999, weight=0.999, norm=0.02, rounding=0.02),
    "TF32": Tolerance(loss=2e-3, whole=0.999, weight=0.98, norm=0.1, rounding=0.75),
    "bf16": Tolerance(loss=2e-2, whole=0.95, weight=0.7, norm=0.5, rounding=6),
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
        batch = smooth_batch(parts.data.batch_size, task.encoder.frames, task.encoder.size, task.mask_frames)
        before = {name: buffer.clone() for name, buffer in task.network.named_buffers()}

        def run(precision: AbstractContextManager[Any], products: str = "highest") -> Pass:
            """In true float32, but for what is given."""
            for name, buffer in task.network.named_buffers():
                buffer.copy_(before[name])
            with products_of_float32(products):
                return one_pass(task, batch.moved(task.device), precision)

        found = {}
        processors = true = run(nullcontext())
        if device.type == "cuda":
            task.to(device)
            true = run(nullcontext())
        with rounded_weights(task):
            rounded = run(nullcontext())
        if device.type == "cuda":
            found["float32, GPU and processor"] = compare(true, processors, rounded, TOLERANCES["float32"])
            found["TF32 and float32"] = compare(run(nullcontext(), "high"), true, rounded, TOLERANCES["TF32"])
        fast = run(parts.trainer.precision_plugin.forward_context())
        found["bf16 and float32"] = compare(fast, true, rounded, TOLERANCES["bf16"])
    return {name: asdict(one) for name, one in found.items()}


@contextmanager
def rounded_weights(task: Task) -> Iterator[None]:
    """The weights are rounded to bf16 inside."""
    before = [weight.detach().clone() for weight in task.parameters()]
    with torch.no_grad():
        for weight in task.parameters():
            weight.copy_(weight.bfloat16())
    try:
        yield
    finally:
        with torch.no_grad():
            for weight, values in zip(task.parameters(), before, strict=True):
                weight.copy_(values)


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
        terms = task.loss_terms(batch) if isinstance(task, PretrainingTask) else {"loss": loss_of(task, batch)}
    terms["loss"].backward()
    trained = {name: weight for name, weight in task.network.named_parameters() if weight.requires_grad}
    gradients = {name: weight.grad.float().cpu() for name, weight in trained.items() if weight.grad is not None}
    task.zero_grad(set_to_none=True)
    losses = {name: float(value.detach()) for name, value in terms.items()}
    return Pass(losses, gradients, sorted(trained.keys() - gradients.keys()))


def compare(found: Pass, true: Pass, rounded: Pass, tolerance: Tolerance) -> Agreement:
    """Hold a pass against a true one, and where it is off, against one with rounded weights."""
    beyond = [f"{name} has no gradient" for name in sorted({*found.without, *true.without})]
    for name, values in found.gradients.items():
        if not bool(values.isfinite().all()):
            beyond.append(f"the gradient of {name} holds values that are no numbers")
    losses = {name: _relative(found.losses[name], value) for name, value in true.losses.items()}
    for name, difference in losses.items():
        if not difference <= tolerance.loss:
            said = f"{found.losses[name]:.6g} instead of {true.losses[name]:.6g}"
            beyond.append(f"{name} is {said}, more than {tolerance.loss:g} off")
    shared = sorted(found.gradients.keys() & true.gradients.keys() & rounded.gradients.keys())
    products = {name: _products(found.gradients[name], true.gradients[name]) for name in shared}
    rounding = {name: _products(rounded.gradients[name], true.gradients[name]) for name in shared}
    summed, summed_rounding = (
        tuple(map(sum, zip(*each.values(), strict=True))) or (0.0, 0.0, 0.0) for each in (products, rounding)
    )
    whole = _cosine(summed)
    if not whole >= tolerance.whole and not _as_rounding(summed, summed_rounding, tolerance):
        beyond.append(f"all gradients together have a cosine of {whole:.5f}, below {tolerance.whole:g}")
    # Not telling: what is rounding alone, as the gradient of a bias in front of a batch norm.
    telling = {
        name: each
        for name, each in products.items()
        if not each[2] <= NEGLIGIBLE**2 * summed[2] and _distance(rounding[name]) < each[2] ** 0.5
    }
    cosines = {name: _cosine(each) for name, each in telling.items()}
    norms = {name: _relative(each[1] ** 0.5, each[2] ** 0.5) for name, each in telling.items()}
    for name, each in telling.items():
        within = cosines[name] >= tolerance.weight and norms[name] <= tolerance.norm
        if not within and not _as_rounding(each, rounding[name], tolerance):
            beyond.append(f"the gradient of {name}: cosine {cosines[name]:.4f}, norm {norms[name]:.4f} off, relative")
    worst = dict(sorted(cosines.items(), key=lambda pair: pair[1])[:WORST])
    return Agreement(max(losses.values()), whole, worst, max(norms.values(), default=0.0), beyond)


def _as_rounding(products: Any, rounding: Any, tolerance: Tolerance) -> bool:
    """Whether what is off is what rounded weights make of it, too."""
    return bool(_distance(products) <= tolerance.rounding * _distance(rounding))


def _distance(products: Any) -> float:
    both, found, true = products
    squared: float = found - 2 * both + true
    return math.sqrt(max(squared, 0.0)) if not math.isnan(squared) else math.nan


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
