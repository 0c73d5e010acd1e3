"""Batch norm over two ranks against torch's over the whole batch."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from fbm.models.sync_norm import SyncNorm3d, desynchronise, sum_over_ranks, synchronise
from tests.two_ranks import on_ranks

NORMS: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "1d": (nn.BatchNorm1d(3), (6, 3)),
    "1d, of sequences": (nn.BatchNorm1d(3), (6, 3, 5)),
    "2d": (nn.BatchNorm2d(3, eps=1e-3, momentum=0.3), (6, 3, 4, 5)),
    "3d": (nn.BatchNorm3d(3), (6, 3, 2, 4, 5)),
    "cumulative": (nn.BatchNorm2d(3, momentum=None), (6, 3, 4, 5)),
    "without weights": (nn.BatchNorm2d(3, affine=False), (6, 3, 4, 5)),
    "without running statistics": (nn.BatchNorm2d(3, track_running_stats=False), (6, 3, 4, 5)),
    "far from zero": (nn.BatchNorm2d(3), (6, 3, 4, 5)),
}


def used(name: str, rank: int, ranks: int) -> dict[str, Tensor]:
    """Three training batches and one in evaluation: outputs, the inputs' gradients, all states.

    The loss weighs every output differently and is a mean over this rank's samples, as tasks' losses are.
    """
    norm, shape = NORMS[name]
    model = nn.Sequential(norm)
    if ranks > 1:
        synchronise(model)
    generator = torch.Generator().manual_seed(0)
    found: dict[str, Tensor] = {}
    for step in range(3):
        batch, wanted = (torch.randn(shape, generator=generator) for _ in range(2))
        batch = batch * 3 + (1e4 if name == "far from zero" else 1)
        mine = batch[rank::ranks].clone().requires_grad_()
        made = model(mine)
        (made * wanted[rank::ranks]).mean().backward()
        assert mine.grad is not None
        found |= {f"output {step}": made.detach(), f"gradient {step}": mine.grad / ranks}
    model.eval()
    found["evaluation"] = model(torch.ones(shape))
    found |= {f"parameter {number}": parameter.grad for number, parameter in enumerate(model.parameters())}  # type: ignore[misc]
    return {key: value.detach().clone() for key, value in [*found.items(), *model.state_dict().items()]}


def on_a_rank(folder: Path) -> dict[str, Any]:
    rank, ranks = torch.distributed.get_rank(), torch.distributed.get_world_size()
    found: dict[str, Any] = {name: used(name, rank, ranks) for name in NORMS}
    half = SyncNorm3d(3)(torch.randn(2, 3, 2, 2, 2, dtype=torch.bfloat16))
    part = torch.tensor([1.0 + rank], requires_grad=True)
    (sum_over_ranks(part) * (1 + rank)).backward()
    assert part.grad is not None
    return {**found, "half": half.detach(), "sum": sum_over_ranks(part).detach(), "gradient": part.grad}


@pytest.fixture(scope="module")
def ranks(tmp_path_factory) -> list[dict[str, Any]]:
    return on_ranks(on_a_rank, tmp_path_factory.mktemp("norms"))


@pytest.mark.parametrize("name", NORMS)
def test_two_ranks_are_one_batch(ranks, name):
    alone = used(name, 0, 1)
    first, second = (found[name] for found in ranks)
    assert alone.keys() == first.keys() == second.keys()
    for key, value in alone.items():
        if key.startswith(("output", "gradient")):
            made = torch.empty_like(value)
            made[0::2], made[1::2] = first[key], second[key]
        elif key.startswith("parameter"):
            made = (first[key] + second[key]) / 2  # as DDP does
        else:
            made = first[key]
            assert torch.equal(first[key], second[key])
        loose = 2e-3 if name == "far from zero" else 1e-6  # float32 has seven digits, of which 1e4 takes four
        torch.testing.assert_close(made, value, atol=loose, rtol=1e-5)


def test_of_halves_it_gives_halves(ranks):
    assert ranks[0]["half"].dtype == torch.bfloat16


def test_every_rank_has_the_sum_and_its_gradient_is_a_sum(ranks):
    assert [float(found["sum"]) for found in ranks] == [3, 3]
    assert [float(found["gradient"]) for found in ranks] == [3, 3]


@pytest.fixture
def model() -> nn.Sequential:
    inner = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3, eps=1e-3, momentum=0.3))
    return nn.Sequential(inner, nn.BatchNorm1d(3), nn.BatchNorm3d(3), nn.GroupNorm(1, 3))


def objects(model: nn.Module) -> dict[str, int]:
    """Every parameter and buffer by name, and which object it is."""
    return {name: id(value) for name, value in [*model.named_parameters(), *model.named_buffers()]}


def test_conversion_keeps_every_object_and_can_be_undone(model):
    before, text = objects(model), repr(model)
    model[0].eval()
    synchronise(model)
    assert [type(layer).__name__ for layer in model] == ["Sequential", "SyncNorm1d", "SyncNorm3d", "GroupNorm"]
    assert (model[0][1].eps, model[0][1].momentum) == (1e-3, 0.3)
    assert not model[0][1].training
    assert objects(model) == before
    desynchronise(model)
    assert objects(model) == before
    assert repr(model) == text


def test_where_there_is_one_rank_it_is_torchs_own(model):
    batch = torch.randn(4, 3, 2, 2, 2)
    expected = model[2](batch)
    synchronise(model)
    assert torch.equal(model[2](batch), expected)


def test_maps_of_another_kind_are_refused(model):
    synchronise(model)
    with pytest.raises(ValueError, match="expected 5D input"):
        model[2](torch.zeros(4, 3, 2, 2))
