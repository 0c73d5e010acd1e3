"""A callback that lets one rank fail in a step, in one of the ways in which ranks do."""

import os
import signal
import time
from typing import Any

import pytorch_lightning as pl


class Bomb(pl.Callback):
    """At the end of step `step` rank `rank` does `how`; only in the job of seed `seed`, where that is given."""

    def __init__(self, how: str, rank: int = 1, step: int = 1, seed: int | None = None, carried: Any = None) -> None:
        self.how, self.rank, self.step = how, rank, step
        self.armed = seed is None or (carried or {}).get("config", {}).get("seed") == seed

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        if not self.armed or trainer.global_rank != self.rank or trainer.global_step != self.step:
            return
        if self.how == "raise":
            raise KeyError("the fuse")
        if self.how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.how == "sleep":
            time.sleep(600)
