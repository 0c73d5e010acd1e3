"""A callback that interrupts one rank in a step, in one of the ways in which ranks are interrupted."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from fbm.training.callbacks import PreemptionCheckpoint


class Bomb(pl.Callback):
    """At the end of step `step` rank `rank` does `how`; only in the job of seed `seed`, where that is given.

    `how` is "raise" for an error, or "signal": once in this folder, its launcher gets SIGUSR1, and the step ends when
    the rank has got it too.
    """

    def __init__(self, how: str, rank: int = 1, step: int = 1, seed: int | None = None, carried: Any = None) -> None:
        self.how, self.rank, self.step = how, rank, step
        self.armed = seed is None or (carried or {}).get("config", {}).get("seed") == seed

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        if not self.armed or trainer.global_rank != self.rank or trainer.global_step != self.step:
            return
        if self.how == "raise":
            raise KeyError("the fuse")
        if not Path("signalled").exists():
            Path("signalled").touch()
            os.kill(os.getppid(), signal.SIGUSR1)
            (checkpointer,) = (one for one in trainer.checkpoint_callbacks if isinstance(one, PreemptionCheckpoint))
            while checkpointer.signals.received is None:
                time.sleep(0.05)
