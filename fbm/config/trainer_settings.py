"""Trainer settings that Lightning accepts but a run does not support: rejected before anything starts."""

import math
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from fbm.utils.errors import UserError

OURS = {  # arguments of the trainer that fbm sets, and the settings to use instead
    "logger": "logger=csv (or another option of that group; logger=null has none)",
    "callbacks": "+callbacks.NAME._target_=... (or callbacks.NAME=null without one)",
    "enable_progress_bar": "callbacks.progress=null is without one",
    "plugins": "trainer.precision and trainer.strategy",
}
LEAST = {  # smaller numbers make Lightning divide by zero, or hang
    "accumulate_grad_batches": 1,
    "check_val_every_n_epoch": 1,
    "num_nodes": 1,
    "log_every_n_steps": 0,
    "gradient_clip_val": 0,
    "min_epochs": 0,
    "min_steps": 0,
    "num_sanity_val_steps": -1,
}
# Other types of weights and activations do not match clips, losses and metrics, which are float32.
PRECISIONS = ("32-true", "32", "16-mixed", "16", "bf16-mixed", "bf16")
DURATION = re.compile(r"\d+:\d\d:\d\d:\d\d")
UNVALIDATED = (
    "training ended before a validation could say which weights are the best: raise +trainer.max_time, "
    "+trainer.max_steps or trainer.max_epochs, or set +trainer.val_check_interval=BATCHES lower"
)
UNTIL = 1000  # epochs that Lightning trains where neither max_epochs nor max_steps nor max_time is given


def check_trainer(trainer: Mapping[str, Any]) -> None:
    """Check the `trainer` settings of a run.

    Raises:
        UserError: names the setting and what it should be.
    """
    for key in ("max_epochs", "max_steps", "limit_train_batches"):
        if trainer.get(key) == 0:
            raise UserError(f"trainer.{key}=0 trains nothing: it should be above 0; trainer=debug is two short steps")
    for key in ("fast_dev_run", "overfit_batches", "barebones"):
        if trainer.get(key):
            raise UserError(
                f"trainer.{key}={trainer[key]} does without checkpoints or the clips' own order, and a run is nothing "
                "without them: trainer=debug shows whether it runs at all"
            )
    if trainer.get("enable_checkpointing") is False:
        raise UserError("trainer.enable_checkpointing=False: a run is nothing without its checkpoints, leave it out")
    if trainer.get("use_distributed_sampler"):
        raise UserError("trainer.use_distributed_sampler=True: fbm's own sampler shares the clips out, leave it out")
    for key, instead in OURS.items():
        if key in trainer:
            raise UserError(f"trainer.{key} is set by fbm itself, leave it out: {instead}")
    for key, least in LEAST.items():
        if trainer.get(key) is not None and trainer[key] < least:
            raise UserError(f"trainer.{key}={trainer[key]}: it should be at least {least}")
    precision = trainer.get("precision")
    if precision is not None and str(precision) not in PRECISIONS:
        raise UserError(f"trainer.precision={precision}: it should be 32-true, bf16-mixed or 16-mixed")
    _check_times(trainer)


def _check_times(trainer: Mapping[str, Any]) -> None:
    """Check `max_time` and `val_check_interval`."""
    time, interval = trainer.get("max_time"), trainer.get("val_check_interval")
    if time is not None:
        _check_duration("trainer.max_time", time)
    # Lightning also accepts a duration, but its early stopping then fails.
    if interval is not None and (isinstance(interval, str | dict) or interval <= 0):
        raise UserError(
            f"trainer.val_check_interval={interval}: it should be a number of batches from 1 on, or a share of an "
            "epoch up to 1.0"
        )


def _check_duration(key: str, value: Any) -> None:
    try:
        if isinstance(value, dict):
            seconds = timedelta(**value).total_seconds()
        elif DURATION.fullmatch(str(value)):
            units = ("days", "hours", "minutes", "seconds")
            seconds = timedelta(**dict(zip(units, map(int, value.split(":")), strict=True))).total_seconds()
        else:
            seconds = 0
    except (TypeError, OverflowError):  # unknown unit, or not a number
        seconds = 0
    if seconds <= 0:
        raise UserError(f"{key}={value}: it should be a time above zero, as DD:HH:MM:SS or {{hours:1}}")


def batches_of(trainer: Mapping[str, Any], whole: int) -> int:
    """Training batches in an epoch with `trainer.limit_train_batches`, of `whole` without.

    Raises:
        UserError: the limit leaves none.
    """
    limit = trainer.get("limit_train_batches")
    if limit is None:
        return whole
    batches = min(int(limit), whole) if _is_number(limit) else int(limit * whole)
    if batches < 1:
        raise UserError(
            f"trainer.limit_train_batches={limit} of {whole} batches is none: take at least {1 / whole:.3g}"
        )
    return batches


def steps_of(trainer: Mapping[str, Any], batches: int) -> int | None:
    """Optimiser steps of the whole training with so many batches an epoch; None if only time limits it."""
    epochs, steps = trainer.get("max_epochs"), trainer.get("max_steps", -1)
    bounded = steps is not None and steps >= 0
    if epochs is None:
        epochs = -1 if bounded or trainer.get("max_time") else UNTIL
    # Lightning also makes a step of an incomplete accumulation at the end of an epoch.
    by_epochs = math.inf if epochs < 0 else epochs * math.ceil(batches / trainer.get("accumulate_grad_batches", 1))
    most = min(by_epochs, steps if bounded else math.inf)
    return None if math.isinf(most) else int(most)


def check_validates(trainer: Mapping[str, Any], batches: int) -> None:
    """Check that training with so many batches an epoch is validated before it ends.

    Raises:
        UserError: it is not, so that there would be no best checkpoint.
    """
    interval, every = trainer.get("val_check_interval"), trainer.get("check_val_every_n_epoch", 1)
    interval = 1.0 if interval is None else interval
    if _is_number(interval) and every is not None and interval > batches:
        raise UserError(
            f"trainer.val_check_interval={interval} is more than the {batches} batches of an epoch: lower it, or count "
            "over epochs with trainer.check_val_every_n_epoch=null"
        )
    within = int(interval) if _is_number(interval) else max(1, int(batches * interval))
    first = within + ((every or 1) - 1) * batches
    steps, accumulated = steps_of(trainer, batches), trainer.get("accumulate_grad_batches", 1)
    needed = first // batches * math.ceil(batches / accumulated) + math.ceil(first % batches / accumulated)
    if steps is not None and steps < needed:
        raise UserError(
            f"training ends after {steps} steps, before it is first validated, after {first} batches of {batches} an "
            "epoch: nothing would say which weights are the best; raise trainer.max_epochs or +trainer.max_steps, or "
            "set +trainer.val_check_interval=BATCHES or trainer.check_val_every_n_epoch lower"
        )


def _is_number(limit: float) -> bool:
    """Whether Lightning interprets it as a number of batches: 1.0 is all of them, 2.0 is two."""
    return isinstance(limit, int) or limit > 1
