"""Features of clips: `N C h w` float from whatever encoder, without gradient."""

from collections.abc import Callable, Sequence
from copy import copy

import numpy as np
import torch
from torch import Tensor

from fbm.data.clips import ClipDataset, SampleKey
from fbm.models.disentangler import split
from fbm.models.encoder import Encoder
from fbm.models.layers import to_input

BATCH = 16


@torch.no_grad()
def features(
    encoder: Encoder, clips: ClipDataset, samples: Sequence[int], advance: Callable[[], None] = lambda: None
) -> Tensor:
    """`N C h w` float32, on the processor, of some samples' middle windows, unflipped.

    The encoder is asked in evaluation mode and left in the mode it was in; no random generator is touched.

    Args:
        advance: called once for every clip done.
    """
    device, training = next(encoder.parameters()).device, encoder.training
    still = copy(clips)
    still.random, still.masked = False, ()
    encoder.eval()
    made = []
    for start in range(0, len(samples), BATCH):
        some = samples[start : start + BATCH]
        frames = still.batch([SampleKey(0, int(sample)) for sample in some]).frames
        made.append(encoder(to_input(frames.to(device))).float().cpu())
        for _ in some:
            advance()
    encoder.train(training)
    return torch.cat(made)


def labels_of(clips: ClipDataset, samples: Sequence[int]) -> np.ndarray:
    """The class of each sample, int."""
    return np.array([clips.labels[clips.samples[sample][0]] for sample in samples])


def rows(maps: Tensor) -> np.ndarray:
    """Feature maps `N C h w` as what a probe is fitted on: `N C*h*w`."""
    flat: np.ndarray = maps.flatten(1).numpy()
    return flat


def parts_of(maps: Tensor, disentangled: bool) -> dict[str, np.ndarray]:
    """The parts that are probed, each `N D`: all, and motion, foreground and background where there are such."""
    parts = {"all": maps, **(split(maps)._asdict() if disentangled else {})}
    return {name: rows(part) for name, part in parts.items()}


def effective_rank(inputs: np.ndarray) -> float:
    """In how many directions `N D` vary: exp of the entropy of the principal components' shares of the variance."""
    shares = np.linalg.svd(inputs - inputs.mean(0), compute_uv=False) ** 2
    shares = shares[shares > 0] / shares.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))
