"""Going on from a checkpoint: the same run's after an interruption, or another run's with settings of its own."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fbm.config.compose import flatten
from fbm.config.keys import PERFORMANCE_KEYS, under
from fbm.runs.checkpoints import read_checkpoint
from fbm.runs.files import NONE
from fbm.runs.folder import Run
from fbm.training.callbacks.resume_point import RESUME, PreemptionCheckpoint, RunHistory
from fbm.training.callbacks.signals import SignalTrap
from fbm.training.components import Components
from fbm.training.loggers import Row
from fbm.utils.errors import UserError

MUST_MATCH = ("task_name", "task", "encoder", "optim", "schedule")  # what the weights and the optimiser's state fit
# What the steps of an epoch are made of: in its middle no other ones can be put in their place.
EPOCH = (
    *("seed", "data.batch_size", "data.label_fraction", "data.chunk_frames", "data.clip_frames"),
    *("trainer.accumulate_grad_batches", "trainer.limit_train_batches"),
)


@dataclass(frozen=True)
class ResumeSource:
    """A checkpoint that a run goes on from.

    Attributes:
        named: how to call it in an error.
        content: all of it.
        same: it is the run's own.
    """

    named: str
    content: dict[str, Any]
    same: bool

    @property
    def trained(self) -> bool:
        """Whether nothing is left of the run's training."""
        return self.same and bool(self.content[RESUME]["trained"])

    @property
    def rows(self) -> list[Row]:
        """What the run's loggers had been told."""
        return [Row(*row) for row in self.content[RESUME]["rows"]]

    @property
    def metrics(self) -> dict[str, Any]:
        """The newest values of all that is measured, by name."""
        metrics: dict[str, Any] = self.content[RESUME]["metrics"]
        return metrics

    @property
    def past(self) -> RunHistory:
        """What the run has behind it when it goes on from here."""
        if self.same:
            past = RunHistory(**self.content[RESUME]["past"])
            past.resumed += 1
            return past
        prints = {key: str(self.content["fbm"]["fingerprints"][key]) for key in ("config", "comparison")}
        return RunHistory(source={"checkpoint": self.named, "place": self.content[RESUME]["told"], **prints})


def find_resume_source(run: Run) -> ResumeSource | None:
    """The checkpoint that a run is to go on from, read; None where it begins anew.

    Raises:
        UserError: it is damaged, holds code, is not fbm's, or nothing can go on from it.
    """
    if run.start_from is None:
        return None
    content = read_checkpoint(run.start_from)
    if RESUME not in content or "comparison" not in content["fbm"]["fingerprints"]:
        raise UserError(f"{run.start_from} holds weights alone, for init.checkpoint: no training can go on from it")
    return ResumeSource(str(run.start_from), content, run.same)


def check_compatible(start: ResumeSource, parts: Components) -> None:
    """See that a run may go on from a checkpoint.

    Raises:
        UserError: the data, the initial weights or the settings are others; names the way out.
    """
    anew = "resume=none begins anew" if start.same else "leave out resume=..., or name another run's"
    carried = start.content["fbm"]
    if carried["fingerprints"]["data"] != parts.prints["data"]:
        raise UserError(
            f"{start.named} was trained on other data than {parts.data.store.root} holds now: run `fbm prepare` with "
            f"the earlier settings and videos, or {anew}"
        )
    if not start.same:
        _refuse_settings(start, carried["config"], parts.content)
        _refuse_schedule(start, parts)
    if unlike := _unlike(parts.task.state_dict(), start.content["state_dict"]):
        raise UserError(f"{start.named} does not fit the network that this fbm makes ({unlike}): {anew}")
    if start.same and start.past.pretraining != parts.loaded.fingerprint:
        raise UserError(f"{start.named} started from earlier weights than init.checkpoint holds now: {anew}")


def _unlike(ours: dict[str, Any], theirs: dict[str, Any]) -> str | None:
    """A weight that only one has, or that is of another shape."""
    shapes = [{name: tuple(value.shape) for name, value in weights.items()} for weights in (ours, theirs)]
    return next((name for name in sorted({*ours, *theirs}) if shapes[0].get(name) != shapes[1].get(name)), None)


def _refuse_settings(start: ResumeSource, theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    epochs, steps = start.content[RESUME]["place"]
    there, here = flatten(theirs), flatten(ours)
    for part in MUST_MATCH + (EPOCH if steps else ()):
        keys = [key for key in {*there, *here} if under(key, (part,)) and not under(key, PERFORMANCE_KEYS)]
        unlike = [key for key in keys if there.get(key) != here.get(key)]
        for key in sorted(unlike, key=lambda one: ("_target_" not in one, one)):  # what it is, before how it is set
            within = f" was saved at {start.content[RESUME]['told']} and" if steps else ""
            raise UserError(
                f"{start.named}{within} was trained with {key}={there.get(key)}, this run has {here.get(key)}: "
                "resume goes on with what there was; new settings begin from the weights, init.checkpoint=..."
            )
    most = ours["trainer"]["max_epochs"]
    if most is not None and 0 <= most <= epochs:
        raise UserError(
            f"{start.named} has {epochs} epochs behind it, and this run ends after trainer.max_epochs={most}: set it "
            "higher"
        )


def _refuse_schedule(start: ResumeSource, parts: Components) -> None:
    """A schedule that knows its last step cannot go beyond it, and would not be the same made longer."""
    steps = getattr(parts.task.make_schedule, "keywords", {}).get("total_steps", -math.inf)
    known = [state["total_steps"] for state in start.content["lr_schedulers"] if "total_steps" in state]
    if any(steps > most for most in known):
        raise UserError(
            f"{start.named} was trained with a schedule of {known[0]} steps, this run has {steps}: it cannot go on "
            "beyond its end (schedule=constant and halving can, with the run that is gone on from)"
        )


def configure_checkpointer(parts: Components, start: ResumeSource | None, resume: str) -> PreemptionCheckpoint:
    """The callback that saves, told what is behind the run; where it was left out, one that the trainer does not know.

    Args:
        resume: as it was asked for.
    """
    callbacks: list[Any] = parts.trainer.callbacks  # type: ignore[attr-defined]  # set, but not declared
    point = next((one for one in callbacks if isinstance(one, PreemptionCheckpoint)), None)
    if point is None:
        point = PreemptionCheckpoint(Path(), None)
        point.signals = SignalTrap(())  # what nobody acts on must not be heard
    if start is not None:
        point.past, point.other = start.past, not start.same
        point.kept = start.content[RESUME]["told"] if start.same else None
    point.past.pretraining = parts.loaded.fingerprint
    point.again = "the same command" if resume != NONE else "the same command with resume=auto"
    return point
