"""Features of clips: `N C h w` float from any encoder, without gradient."""

from collections.abc import Callable, Sequence
from copy import copy

import numpy as np
import torch
from torch import Tensor

from fbm.data.batch import ClipBatch
from fbm.data.clips import ClipDataset, SampleKey
from fbm.models.disentangler import split_features
from fbm.models.encoder import Encoder
from fbm.models.layers import to_input

BATCH = 16
# Frames `B T H W 3` uint8 and the batch, to frames of that shape.
Change = Callable[[Tensor, ClipBatch], Tensor]


@torch.no_grad()
def features(
    encoder: Encoder,
    clips: ClipDataset,
    samples: Sequence[int],
    advance: Callable[[], None] = lambda: None,
    change: Change | None = None,
) -> Tensor:
    """`N C h w` float32 on the CPU, of the middle windows of the given samples, unflipped.

    The encoder runs in evaluation mode and is put back into its mode; no random generator is used.

    Args:
        advance: called once for every clip done.
        change: of the frames before they are encoded.
    """
    device, training = next(encoder.parameters()).device, encoder.training
    middle = copy(clips)
    middle.random = False
    middle.mask_frames = ()
    middle.windows = None
    encoder.eval()
    batches = []
    for start in range(0, len(samples), BATCH):
        batch = samples[start : start + BATCH]
        taken = middle.batch([SampleKey(0, int(sample)) for sample in batch])
        frames = change(taken.frames, taken) if change else taken.frames
        batches.append(encoder(to_input(frames.to(device), encoder.size)).float().cpu())
        for _ in batch:
            advance()
    encoder.train(training)
    return torch.cat(batches)


def labels_of(clips: ClipDataset, samples: Sequence[int]) -> np.ndarray:
    """The class of each sample, int."""
    return np.array([clips.labels[clips.samples[sample][0]] for sample in samples])


def rows(maps: Tensor) -> np.ndarray:
    """Feature maps `N C h w` flattened for a probe: `N C*h*w`."""
    flat: np.ndarray = maps.flatten(1).numpy()
    return flat


def parts_of(maps: Tensor, disentangled: bool) -> dict[str, np.ndarray]:
    """The parts that are probed, each `N D`: all, and for a disentangled feature motion, foreground and background."""
    parts = {"all": maps, **(split_features(maps)._asdict() if disentangled else {})}
    return {name: rows(part) for name, part in parts.items()}


def permuted(maps: Tensor, seed: int) -> Tensor:
    """Feature maps `N C h w` with their channels dealt to the parts at random, the same for the same seed."""
    return maps[:, np.random.default_rng(seed).permutation(maps.shape[1])]


def effective_rank(inputs: np.ndarray) -> float:
    """In how many directions `N D` vary: exp of the entropy of the principal components' shares of the variance."""
    shares = np.linalg.svd(inputs - inputs.mean(0), compute_uv=False) ** 2
    shares = shares[shares > 0] / shares.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))
