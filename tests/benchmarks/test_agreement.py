"""Whether a fast precision computes the same: what is the same agrees, and every fault that is planted is told."""

import dataclasses
import math
from contextlib import nullcontext

import pytest
import torch
from torch import Tensor

from benchmarks.agreement import (
    TOLERANCES,
    Pass,
    agreement,
    compare,
    one_pass,
    products_of_float32,
    rounded_weights,
    smooth_batch,
)
from fbm.models.encoder import C3DEncoder
from fbm.tasks.classify import Classify
from fbm.tasks.disentangle import Disentangle

pytestmark = pytest.mark.slow

TIGHT = TOLERANCES["float32"]
TINY = ["trainer=cpu", "encoder.width=4", "data.size=32", "data.batch_size=4"]


def a_pass(**changed: Tensor) -> Pass:
    """Losses and gradients of three weights, one of them of rounding alone, with some changed."""
    generator = torch.Generator().manual_seed(0)
    gradients = {name: torch.randn(50, generator=generator) for name in ("first", "second")}
    gradients["bias"] = 1e-9 * torch.randn(50, generator=generator)
    return Pass({"loss": 2.0, "features": 0.5}, gradients | changed, [])


def rounded(share: float) -> Pass:
    """The same, with gradients so far off."""
    generator = torch.Generator().manual_seed(1)
    changed = {
        name: values + share * values.norm() / 50**0.5 * torch.randn(50, generator=generator)
        for name, values in a_pass().gradients.items()
    }
    return a_pass(**changed)


def test_what_rounded_weights_put_off_as_far_is_no_fault():
    off = a_pass(first=-a_pass().gradients["first"])
    assert compare(off, a_pass(), rounded(0.2), TOLERANCES["bf16"]).beyond != []
    assert compare(off, a_pass(), rounded(0.8), TOLERANCES["bf16"]).beyond == []


def test_a_gradient_that_rounding_alone_turns_has_no_direction():
    small = 1e-3 * a_pass().gradients["first"]
    true = a_pass(first=small)
    found = a_pass(first=100 * small.roll(1))
    assert compare(found, true, a_pass(first=-small), TOLERANCES["bf16"]).beyond == []
    assert compare(found, true, a_pass(first=1.1 * small), TOLERANCES["bf16"]).beyond != []


def test_a_pass_agrees_with_itself_and_what_is_rounding_has_no_direction():
    opposite = -a_pass().gradients["bias"]
    found = compare(a_pass(bias=opposite), a_pass(), a_pass(), TIGHT)
    assert found.beyond == []
    assert (found.loss, found.norm) == (0, 0)
    assert found.whole == pytest.approx(1)
    assert set(found.worst) == {"first", "second"}


def test_what_is_within_a_tolerance_agrees_by_that_one_alone():
    near = a_pass().gradients["first"] * 1.05
    assert compare(a_pass(first=near), a_pass(), a_pass(), TOLERANCES["bf16"]).beyond == []
    assert compare(a_pass(first=near), a_pass(), a_pass(), TIGHT).beyond[-1] == (
        "the gradient of first: cosine 1.0000, norm 0.0500 off, relative"
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda gradient: 2 * gradient, "the gradient of second: cosine 1.0000, norm 1.0000 off"),
        (lambda gradient: -gradient, "the gradient of second: cosine -1.0000"),
        (lambda gradient: torch.zeros(50), "the gradient of second: cosine 0.0000"),
        (lambda gradient: gradient.roll(1), "the gradient of second: cosine "),
        (lambda gradient: gradient * math.nan, "the gradient of second holds values that are no numbers"),
    ],
)
@pytest.mark.parametrize("tolerance", TOLERANCES)
def test_a_wrong_gradient_is_named(change, said, tolerance):
    wrong = a_pass(second=change(a_pass().gradients["second"]))
    found = compare(wrong, a_pass(), rounded(0.1), TOLERANCES[tolerance])
    assert any(line.startswith(said) for line in found.beyond)


@pytest.mark.parametrize("tolerance", TOLERANCES)
@pytest.mark.parametrize("value", [1.9, math.nan, math.inf])
def test_a_wrong_loss_is_named(value, tolerance):
    found = dataclasses.replace(a_pass(), losses={"loss": value, "features": 0.5})
    (said,) = compare(found, a_pass(), a_pass(), TOLERANCES[tolerance]).beyond
    assert said.startswith(f"loss is {value:g} instead of 2, more than ")


def test_a_weight_without_a_gradient_is_named():
    gradients = {name: values for name, values in a_pass().gradients.items() if name != "first"}
    found = Pass(a_pass().losses, gradients, ["first"])
    assert "first has no gradient" in compare(found, a_pass(), a_pass(), TOLERANCES["bf16"]).beyond


def test_a_pass_holds_every_loss_and_gradient_and_what_got_none():
    torch.manual_seed(0)
    task = Disentangle(C3DEncoder(4, 16, 32), torch.optim.SGD).train()
    unused = torch.nn.Parameter(torch.ones(3))
    task.network.register_parameter("unused", unused)
    found = one_pass(task, smooth_batch(2, 16, 32, task.mask_frames), nullcontext())
    assert {"loss", "first_foreground", "features", "reconstruction"} < set(found.losses)
    assert found.without == ["unused"]
    assert found.gradients.keys() == dict(task.network.named_parameters()).keys() - {"unused"}
    assert all(weight.grad is None for weight in task.network.parameters())


def test_a_frozen_encoder_needs_no_gradient():
    torch.manual_seed(0)
    task = Classify(C3DEncoder(4, 16, 32), torch.optim.SGD, ["a", "b"], encoder_gradient=0).train()
    found = one_pass(task, smooth_batch(2, 16, 32, task.mask_frames), nullcontext())
    assert found.without == []
    assert set(found.gradients) == {"linear.weight", "linear.bias"}


@pytest.mark.usefixtures("bf16")
@pytest.mark.parametrize(
    "settings",
    [
        ["task=disentangle"],
        ["task=autoencode"],
        ["task=classify"],
        ["task=disentangle", "encoder=c3d", "data.size=64"],  # batch norm over few values, which magnifies rounding
    ],
)
def test_bf16_agrees_with_float32_and_reaches_every_weight(settings):
    """On the processor, whose autocast caches no weights either: one made without a gradient would be used again."""
    (one,) = agreement([*TINY, *settings]).values()
    assert one["beyond"] == []
    assert 0.9 < one["whole"] < 1  # it was another precision indeed


def test_true_float32_is_without_tf32_and_what_was_set_comes_back():
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    for how, allowed in (("highest", False), ("high", True)):
        with products_of_float32(how):
            inside = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
        assert inside == (how, allowed)
        assert (torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32) == before


def test_rounded_weights_come_back():
    task = Classify(C3DEncoder(4, 16, 32), torch.optim.SGD, ["a", "b"])
    before = [weight.detach().clone() for weight in task.parameters()]
    with rounded_weights(task):
        assert all(torch.equal(weight, weight.bfloat16().float()) for weight in task.parameters())
        assert not torch.equal(before[0], next(task.parameters()))
    assert all(map(torch.equal, before, task.parameters()))


def test_smooth_clips_differ_from_each_other_and_have_the_masks_that_are_asked_for():
    batch = smooth_batch(3, 16, 32, (0, -1))
    assert batch.frames.shape == (3, 16, 32, 32, 3)
    assert batch.masks.shape == (3, 2, 32, 32)
    assert batch.masks.sum() == 3 * 2 * 8 * 8
    assert smooth_batch(3, 16, 32, None).masks.shape == (3, 16, 32, 32)
    means = batch.frames.float().mean((1, 2, 3))
    assert (means[0] - means[1]).abs().max() > 5
