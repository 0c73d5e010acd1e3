"""How the trainer saves and loads checkpoints: atomically, and without executing code from them."""

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
    """Saves each checkpoint to a temporary file and renames it, so that an interruption leaves the older one intact.

    `best.ckpt` holds weights only: no run resumes from it, and the optimiser's state is twice as large.

    Args:
        together: keep the best weights in memory until another checkpoint is saved or training ends other than by a
            kill. Short epochs that all improve then do not wait for the disk, and `best.ckpt` and `last.ckpt` are
            consistent: a resumed run finds the best of the steps before.

    Raises:
        OSError: on saving, the disk is full or the folder is not writable.
        UserError: on loading, the checkpoint is damaged, contains code, or is not fbm's.
    """

    def __init__(self, together: bool = False) -> None:
        self.together = together
        self.best: tuple[dict[str, Any], Path] | None = None  # not saved yet

    def save_checkpoint(self, checkpoint: dict[str, Any], path: _PATH, storage_options: Any | None = None) -> None:
        path = Path(path)
        if path.name == BEST:
            checkpoint = {key: checkpoint[key] for key in WEIGHTS if key in checkpoint}
            if self.together:
                weights = {name: _kept(value) for name, value in checkpoint["state_dict"].items()}
                self.best = {**checkpoint, "state_dict": weights}, path
                return
        self.write_best()  # before the checkpoint that refers to it
        _write(checkpoint, path)

    def write_best(self) -> None:
        """Save the best weights, unless that is done."""
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
        """A checkpoint in main memory; always weights and plain values only."""
        return read_checkpoint(Path(path))


def _kept(value: Any) -> Any:
    """A copy in main memory, which later training steps do not change."""
    return value.detach().to("cpu", copy=True) if isinstance(value, Tensor) else value


def _write(checkpoint: dict[str, Any], path: Path) -> None:
    with atomic_write(path, fsync=True) as file:
        capturing = _ErrorCapturingFile(file)
        try:
            torch.save(checkpoint, capturing)  # type: ignore[arg-type]  # it only writes and flushes
        except RuntimeError as error:
            raise (capturing.failed or error) from error


class _ErrorCapturingFile:
    """A file that keeps the OSError of a failed write, which torch replaces by a RuntimeError about positions."""

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
