"""Resume from a checkpoint: the run's own after an interruption, or another run's with other settings."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fbm.config.keys import PERFORMANCE_KEYS, flatten, under
from fbm.config.renamed import NOW, setting, with_targets
from fbm.runs.checkpoints import read_checkpoint
from fbm.runs.files import NONE
from fbm.runs.folder import Run
from fbm.training.callbacks.history import RunHistory
from fbm.training.callbacks.preemption import RESUME, PreemptionCheckpoint, callbacks_of
from fbm.training.callbacks.signals import SignalTrap
from fbm.training.components import Components
from fbm.training.loggers import Row
from fbm.utils.errors import UserError

MUST_MATCH = (
    "task_name",
    "task",
    "encoder",
    "input",
    "optim",
    "base_batch",
    "schedule",
)  # what the weights and the optimiser's state fit
# What determines the steps of an epoch: they cannot change in its middle.
EPOCH_KEYS = (
    *("seed", "data.batch_size", "data.label_fraction"),
    *("data.chunk_frames", "data.clip_frames", "data.frame_interval"),
    *("trainer.accumulate_grad_batches", "trainer.limit_train_batches"),
)


@dataclass(frozen=True)
class ResumeSource:
    """A checkpoint that a run resumes from.

    Attributes:
        path: as in messages.
        checkpoint: the content of the file.
        own_checkpoint: it is of the same run.
    """

    path: str
    checkpoint: dict[str, Any]
    own_checkpoint: bool

    @property
    def trained(self) -> bool:
        """Whether the run's training is complete."""
        return self.own_checkpoint and bool(self.checkpoint[RESUME]["trained"])

    @property
    def rows(self) -> list[Row]:
        """The rows that were logged."""
        return [Row(*row) for row in self.checkpoint[RESUME]["rows"]]

    @property
    def metrics(self) -> dict[str, Any]:
        """The newest value of each metric."""
        metrics: dict[str, Any] = self.checkpoint[RESUME]["metrics"]
        return metrics

    @property
    def position(self) -> str:
        """How far the training was, in words."""
        return str(self.checkpoint[RESUME]["told"])

    @property
    def history(self) -> RunHistory:
        """The history of the run that resumes from here."""
        if self.own_checkpoint:
            history = RunHistory(**self.checkpoint[RESUME]["past"])
            history.resumed += 1
            return history
        prints = {key: str(self.checkpoint["fbm"]["fingerprints"][key]) for key in ("config", "comparison")}
        return RunHistory(source={"checkpoint": self.path, "place": self.position, **prints})


def find_resume_source(run: Run) -> ResumeSource | None:
    """Read the checkpoint that a run resumes from; None where it starts over.

    Raises:
        UserError: it is damaged, holds code, is not fbm's, or holds weights alone.
    """
    if run.start_from is None:
        return None
    content = read_checkpoint(run.start_from)
    if RESUME not in content or "comparison" not in content["fbm"]["fingerprints"]:
        raise UserError(f"{run.start_from} holds weights alone, for init.checkpoint: no training can resume from it")
    return ResumeSource(str(run.start_from), content, run.own_checkpoint)


def check_compatible(source: ResumeSource, components: Components) -> None:
    """Check that a run can resume from a checkpoint.

    Raises:
        UserError: the data, the initial weights or the settings differ; the message names the remedy.
    """
    remedy = "resume=none starts over" if source.own_checkpoint else "leave out resume=..., or name another run's"
    carried = source.checkpoint["fbm"]
    if carried["fingerprints"]["data"] != components.fingerprints["data"]:
        raise UserError(
            f"{source.path} was trained on other data than {components.data.store.root} holds now: run `fbm prepare` "
            f"with the earlier settings and videos, or {remedy}"
        )
    if not source.own_checkpoint:
        _check_settings(source, carried["config"], components.resolved_config)
        _check_schedule(source, components)
    if unlike := _mismatch(components.task.state_dict(), source.checkpoint["state_dict"]):
        raise UserError(f"{source.path} does not fit the network that this fbm makes ({unlike}): {remedy}")
    if source.own_checkpoint and source.history.pretraining != components.loaded.fingerprint:
        raise UserError(f"{source.path} started from earlier weights than init.checkpoint holds now: {remedy}")


def _mismatch(ours: dict[str, Any], theirs: dict[str, Any]) -> str | None:
    """A weight that is missing in one of them, or has another shape."""
    shapes = [{name: tuple(value.shape) for name, value in weights.items()} for weights in (ours, theirs)]
    return next((name for name in sorted({*ours, *theirs}) if shapes[0].get(name) != shapes[1].get(name)), None)


def _check_settings(source: ResumeSource, theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    epochs, steps = source.checkpoint[RESUME]["place"]
    there, here = (with_targets(flatten(config), NOW) for config in (theirs, ours))
    for part in MUST_MATCH + (EPOCH_KEYS if steps else ()):
        keys = [key for key in {*there, *here} if under(key, (part,)) and not under(key, PERFORMANCE_KEYS)]
        unlike = [key for key in keys if setting(there, key) != setting(here, key)]
        for key in sorted(unlike, key=lambda one: ("_target_" not in one, one)):  # what it is, before how it is set
            within = f" was saved at {source.position} and" if steps else ""
            raise UserError(
                f"{source.path}{within} was trained with {key}={setting(there, key)}, "
                f"this run has {setting(here, key)}: "
                "resume keeps the settings; other settings start from the weights, init.checkpoint=..."
            )
    most = ours["trainer"]["max_epochs"]
    if most is not None and 0 <= most <= epochs:
        raise UserError(
            f"{source.path} has completed {epochs} epochs, and this run ends after trainer.max_epochs={most}: set it "
            "higher"
        )


def _check_schedule(source: ResumeSource, components: Components) -> None:
    """A schedule of a fixed length cannot continue beyond its end, and would differ if it were longer."""
    steps = getattr(components.task.make_schedule, "keywords", {}).get("total_steps", -math.inf)
    known = [state["total_steps"] for state in source.checkpoint["lr_schedulers"] if "total_steps" in state]
    if any(steps > most for most in known):
        raise UserError(
            f"{source.path} was trained with a schedule of {known[0]} steps, this run has {steps}: it cannot "
            "continue beyond its end (schedule=constant and halving can, in both runs)"
        )


def configure_checkpointer(components: Components, source: ResumeSource | None, resume: str) -> PreemptionCheckpoint:
    """The checkpoint callback with the run's history; a detached one where the config has none.

    Args:
        resume: the config's value.
    """
    callbacks = callbacks_of(components.trainer)
    checkpointer = next((one for one in callbacks if isinstance(one, PreemptionCheckpoint)), None)
    if checkpointer is None:
        checkpointer = PreemptionCheckpoint(Path(), None)
        checkpointer.signals = SignalTrap(())  # nothing acts on them, so they keep their effect
    if source is not None:
        checkpointer.history = source.history
        checkpointer.from_other_run = not source.own_checkpoint
        checkpointer.saved_position = source.position if source.own_checkpoint else None
    checkpointer.history.pretraining = components.loaded.fingerprint
    checkpointer.resume_command = "the same command" if resume != NONE else "the same command with resume=auto"
    return checkpointer
