"""How the trainer writes and reads checkpoints: whole or not at all, and nothing in them is run."""

from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import torch
from lightning_fabric.utilities.types import _PATH
from pytorch_lightning.plugins.io import TorchCheckpointIO

from fbm.checkpoints import read_checkpoint
from fbm.files import whole_file


class WholeCheckpoints(TorchCheckpointIO):
    """A file takes its name when all of it is on the disk: whatever happens before, an older one stays as it was.

    Raises:
        OSError: when writing, a full disk or a folder that does not let itself be written.
        UserError: when reading, a checkpoint that is damaged, holds code, or is not fbm's.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: _PATH, storage_options: Any | None = None) -> None:
        with whole_file(Path(path), lasting=True) as file:
            told = _Told(file)
            try:
                torch.save(checkpoint, told)  # type: ignore[arg-type]  # it writes, and is asked for nothing else
            except RuntimeError as error:
                raise (told.failed or error) from error

    def load_checkpoint(
        self, path: _PATH, map_location: Callable[..., Any] | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """A checkpoint, on the processor, weights and plain values only whatever is asked for."""
        return read_checkpoint(Path(path))


class _Told:
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
