"""torch's learning rate schedules, for parameter groups with different rates."""

from torch.optim import Optimizer
from torch.optim.lr_scheduler import OneCycleLR


def one_cycle(optimizer: Optimizer, total_steps: int, pct_start: float) -> OneCycleLR:
    """Up to each group's rate in the first share `pct_start` of all steps, then down to almost 0."""
    if pct_start * total_steps == 1:  # torch would divide by 0, the steps of the rise after the first
        pct_start = 1.5 / total_steps
    return OneCycleLR(optimizer, [group["lr"] for group in optimizer.param_groups], total_steps, pct_start=pct_start)
