"""torch's learning rate schedules, for parameter groups with different rates."""

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, OneCycleLR


def one_cycle(optimizer: Optimizer, total_steps: int, pct_start: float) -> OneCycleLR:
    """Up to each group's rate in the first share `pct_start` of all steps, then down to almost 0."""
    if pct_start * total_steps == 1:  # torch would divide by 0, the steps of the rise after the first
        pct_start = 1.5 / total_steps
    return OneCycleLR(optimizer, [group["lr"] for group in optimizer.param_groups], total_steps, pct_start=pct_start)


class WarmupCosine(LambdaLR):
    """A linear rise to each group's rate, then a half cosine down to a share of it.

    Step k of the w in the rise has k / (w + 1) of the group's rate, the first step after them all of it, and the last
    step `final` of it.

    Args:
        total_steps: of the whole training; kept in checkpoints, since a resumed training must have as many.
        warmup: share of the steps in the rise, below 1.
        final: share of the rate at the last step, at most 1.
    """

    def __init__(self, optimizer: Optimizer, total_steps: int, warmup: float, final: float) -> None:
        if not 0 <= warmup < 1 or not 0 <= final <= 1:
            raise ValueError(f"schedule.warmup={warmup} must be from 0 to below 1, schedule.final={final} from 0 to 1")
        self.total_steps = total_steps
        self.rise = min(round(warmup * total_steps), total_steps - 1)
        self.final = final
        super().__init__(optimizer, self.factor)

    def factor(self, step: int) -> float:
        """The share of the full rate at a step, counted from 0."""
        if step < self.rise:
            return (step + 1) / (self.rise + 1)
        done = min(1.0, (step - self.rise) / max(1, self.total_steps - 1 - self.rise))
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * done)) / 2
