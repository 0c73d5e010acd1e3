"""Schedules by hand, and rates that follow the batch."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from fbm.tasks.optimizers import scaled_rates
from fbm.tasks.schedules import WarmupCosine


def rates(steps: int, warmup: float, final: float, *lr: float) -> list[list[float]]:
    groups = [{"params": [nn.Parameter(torch.zeros(1))], "lr": one} for one in lr]
    optimizer = torch.optim.SGD(groups, lr=1.0)
    schedule, seen = WarmupCosine(optimizer, steps, warmup, final), []
    for _ in range(steps):
        seen.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        schedule.step()
    return seen


def test_a_rise_and_half_a_cosine_by_hand():
    """Ten steps, two of them in the rise: thirds, then cosines of sevenths of half a turn, from 1 to 0.1."""
    one, other = zip(*rates(10, 0.2, 0.1, 1.0, 0.5), strict=True)
    assert one[:3] == pytest.approx((1 / 3, 2 / 3, 1))
    assert one[3] == pytest.approx(0.1 + 0.9 * (1 + 0.9009689) / 2)
    assert one[6] == pytest.approx(0.1 + 0.9 * (1 - 0.2225209) / 2)
    assert one[9] == pytest.approx(0.1)
    assert other == pytest.approx([rate / 2 for rate in one])


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.5])
def test_any_number_of_steps_ends_at_the_final_rate(steps, warmup):
    seen = [rate for (rate,) in rates(steps, warmup, 0.0, 1.0)]
    assert all(0 <= rate <= 1 for rate in seen)
    assert max(seen) == pytest.approx(1)
    assert steps < 7 or seen[-1] == pytest.approx(0, abs=1e-12)


def test_a_schedule_continues_from_its_state():
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = WarmupCosine(optimizer, 10, 0.2, 0.0)
    for _ in range(4):
        optimizer.step()
        schedule.step()
    state = schedule.state_dict()
    assert state["total_steps"] == 10  # by which a resumed training is held to as many
    again = WarmupCosine(torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0), 10, 0.2, 0.0)
    again.load_state_dict(state)
    again.optimizer.step()
    again.step()
    optimizer.step()
    schedule.step()
    assert again.get_last_lr() == schedule.get_last_lr()


@pytest.mark.parametrize(("warmup", "final"), [(1.0, 0.0), (-0.1, 0.0), (0.1, 1.1)])
def test_values_out_of_range_are_refused(warmup, final):
    with pytest.raises(ValueError, match=r"schedule\.warmup="):
        rates(10, warmup, final, 1.0)


def test_all_rates_are_scaled():
    made = partial(scaled_rates, partial(torch.optim.SGD, lr=0.1, weight_decay=1e-3), 0.25)
    plain: dict[str, Any] = {"params": [nn.Parameter(torch.zeros(1))]}
    groups = [plain, {"params": [nn.Parameter(torch.zeros(1))], "lr": 0.4}]
    assert [group["lr"] for group in made(groups).param_groups] == [0.025, 0.1]
    assert {group["weight_decay"] for group in made(groups).param_groups} == {1e-3}
