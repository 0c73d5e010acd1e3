"""A network as a function from clips `T H W 3` uint8, on its device, to rows of numbers."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from fbm.models.layers import to_input
from fbm.utils.errors import UserError


def chosen_device(name: str) -> torch.device:
    """The device for "auto", "cpu" or "cuda".

    Raises:
        UserError: there is no GPU.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("device=cuda: torch finds no GPU; use --device cpu or auto")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


class ClipFunction:
    """Maps B clips, uint8 `T H W 3` each, to an array whose rows are theirs.

    Args:
        function: maps clips `B 3 T H W`, float in [-1, 1], to a tensor of B rows; called without gradient.
        device: where the clips go.
        size: H and W of the clips that the function takes, the middle of larger frames.
        interval: of the given frames from one that the function takes to the next.
    """

    def __init__(
        self, function: Callable[[Tensor], Tensor], device: torch.device, size: int, interval: int = 1
    ) -> None:
        self.function, self.device, self.size, self.interval = function, device, size, interval

    @torch.no_grad()
    def __call__(self, clips: Sequence[np.ndarray]) -> np.ndarray:
        """The rows.

        Raises:
            UserError: the clips do not fit into memory.
        """
        try:
            frames = torch.from_numpy(np.stack([clip[:: self.interval] for clip in clips])).to(self.device)
            rows: np.ndarray = self.function(to_input(frames, self.size)).cpu().numpy()
        except torch.cuda.OutOfMemoryError as error:
            raise UserError(f"{len(clips)} clips do not fit into the GPU's memory: choose a smaller --batch") from error
        return rows
