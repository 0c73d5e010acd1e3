"""The trained network of a finished run, built from what its best checkpoint carries."""

from typing import Any, TypeVar

import torch

from fbm.config.instantiate import build
from fbm.runs.checkpoints import encoder_of
from fbm.runs.summary import RunSummary
from fbm.tasks.task import Task
from fbm.utils.errors import UserError

Kind = TypeVar("Kind", bound=Task)


def trained_task(checkpoint: dict[str, Any], summary: RunSummary, named: str, kind: type[Kind], need: str) -> Kind:
    """The task with its trained network, in evaluation mode.

    Args:
        checkpoint: of `read_checkpoint`.
        summary: of the same run.
        named: the run, in errors.
        kind: what the task must be.
        need: what is said of a run of another kind.

    Raises:
        UserError: the task is of another kind, or cannot be made from what the checkpoint carries.
    """
    encoder = encoder_of(checkpoint, named)
    maker = build(
        {**checkpoint["fbm"]["config"]["task"], "_partial_": True},
        encoder=encoder,
        optimizer=torch.optim.Adam,
        classes=summary.classes,
        seed=summary.seed,
    )
    # Looked at before it is called: a config from elsewhere could name any function.
    if not (isinstance(maker.func, type) and issubclass(maker.func, kind)):
        raise UserError(f"{named} is of task={summary.task}: {need}")
    try:
        task: Kind = maker()
        task.load_state_dict(checkpoint["state_dict"])
    except (TypeError, RuntimeError) as error:
        raise UserError(f"the network of {named} cannot be made: {' '.join(str(error).split())}") from error
    return task.eval()
