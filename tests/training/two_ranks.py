"""A function on several gloo ranks, each a process of its own. It imports little: every rank does so again."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import spawn


def on_ranks(function: Callable[[Path], Any], folder: Path, ranks: int = 2) -> list[Any]:
    """What a module's function gives, by rank, when every rank calls it with the folder: plain values and tensors."""
    spawn(_rank, (function, folder, ranks), nprocs=ranks)
    return [torch.load(folder / f"rank-{rank}.pt", weights_only=True) for rank in range(ranks)]


def _rank(rank: int, function: Callable[[Path], Any], folder: Path, ranks: int) -> None:
    os.environ |= {"LOCAL_RANK": str(rank), "NODE_RANK": "0"}  # for Lightning, which then starts no ranks itself
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=ranks)
    torch.save(function(folder), folder / f"rank-{rank}.pt")
    dist.destroy_process_group()
