"""How the trainer writes and reads checkpoints: whole or not at all, and nothing in them is run."""

from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import torch
from lightning_fabric.utilities.types import _PATH
from pytorch_lightning.plugins.io import TorchCheckpointIO
from torch import Tensor

from fbm.runs.checkpoints import read_checkpoint
from fbm.runs.files import BEST
from fbm.utils.files import atomic_write

WEIGHTS = ("state_dict", "fbm", "epoch", "global_step", "pytorch-lightning_version")  # what best.ckpt holds


class AtomicCheckpointIO(TorchCheckpointIO):
    """A file takes its name when all of it is on the disk: whatever happens before, an older one stays as it was.

    `best.ckpt` holds weights alone: nothing goes on from it, and the optimiser's state is twice as large.

    Args:
        together: keep what is best in main memory until another checkpoint is saved, or training ends in any way but a
            kill. So a network that gets better in every short epoch does not spend its time on writing, and what is on
            the disk fits together: a run that goes on from `last.ckpt` finds the best of the steps before it.

    Raises:
        OSError: when writing, a full disk or a folder that does not let itself be written.
        UserError: when reading, a checkpoint that is damaged, holds code, or is not fbm's.
    """

    def __init__(self, together: bool = False) -> None:
        self.together = together
        self.best: tuple[dict[str, Any], Path] | None = None  # that is not written yet

    def save_checkpoint(self, checkpoint: dict[str, Any], path: _PATH, storage_options: Any | None = None) -> None:
        path = Path(path)
        if path.name == BEST:
            checkpoint = {key: checkpoint[key] for key in WEIGHTS if key in checkpoint}
            if self.together:
                weights = {name: _kept(value) for name, value in checkpoint["state_dict"].items()}
                self.best = {**checkpoint, "state_dict": weights}, path
                return
        self.write_best()  # before what says that it is there
        _write(checkpoint, path)

    def write_best(self) -> None:
        """Write what is best, where that is not done yet."""
        if self.best is not None:
            _write(*self.best)
            self.best = None

    def teardown(self) -> None:
        self.write_best()
        super().teardown()

    def remove_checkpoint(self, path: _PATH) -> None:
        if self.best is not None and self.best[1] == Path(path):
            self.best = None
        super().remove_checkpoint(path)

    def load_checkpoint(
        self, path: _PATH, map_location: Callable[..., Any] | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """A checkpoint, on the processor, weights and plain values only whatever is asked for."""
        return read_checkpoint(Path(path))


def _kept(value: Any) -> Any:
    """A value that later training steps leave as it is, in main memory."""
    return value.detach().to("cpu", copy=True) if isinstance(value, Tensor) else value


def _write(checkpoint: dict[str, Any], path: Path) -> None:
    with atomic_write(path, fsync=True) as file:
        told = _ErrorCapturingFile(file)
        try:
            torch.save(checkpoint, told)  # type: ignore[arg-type]  # it writes, and is asked for nothing else
        except RuntimeError as error:
            raise (told.failed or error) from error


class _ErrorCapturingFile:
    """A file that remembers why it could not be written; torch says that its own position was unexpected."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.failed: OSError | None = None

    def write(self, content: bytes) -> int:
        try:
            return self.file.write(content)
        except OSError as error:
            self.failed = error
            raise

    def flush(self) -> None:
        self.file.flush()
