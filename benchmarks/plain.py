"""The straightforward program, as one would write it first: what fbm's training steps are compared with.

Samples are scaled, flipped and cut into foreground and background one by one on the processor; tensors lie as torch
makes them; the time-reversed pass keeps its gradient; the cross convolution is a loop over the batch; plain malloc.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from fbm.data.clips import ClipDataset, SampleKey, draw_window
from fbm.models.autoencoder import Autoencoder
from fbm.models.classifier import Classifier
from fbm.models.disentangler import Disentangler, split_features
from fbm.tasks.task import Task
from fbm.utils.errors import UserError


class PlainClips(Dataset[tuple[Tensor, ...]]):
    """Samples as clip `3 T H W`, its masks `T H W`, both float, and label."""

    def __init__(self, clips: ClipDataset) -> None:
        self.clips = clips

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, sample: int) -> tuple[Tensor, ...]:
        clips, store = self.clips, self.clips.store
        number, chunk = clips.samples[sample]
        name = clips.videos[number].name
        window = draw_window(clips.seed, SampleKey(0, sample), clips.slack, clips.reverse)
        taken = slice(chunk + window.start, chunk + window.start + clips.clip_frames)
        frames = store.frames(name, taken.start, taken.stop).astype(np.float32) / 255 * 2 - 1
        masks = store.masks(name, taken).astype(np.float32)
        if window.reversed:
            frames, masks = frames[::-1], masks[::-1]
        if window.hflipped:
            frames, masks = frames[:, :, ::-1], masks[:, :, ::-1]
        clip = np.ascontiguousarray(frames.transpose(3, 0, 1, 2))
        return torch.from_numpy(clip), torch.from_numpy(masks.copy()), torch.tensor(clips.labels[number])


def plain_batches(clips: ClipDataset, batch: int) -> Iterator[Any]:
    """Shuffled batches for ever."""
    loader = DataLoader(PlainClips(clips), batch, shuffle=True, drop_last=True)
    while True:
        yield from loader


def plain_loss(task: Task) -> Callable[[Any], Tensor]:
    """The task's loss of a plain batch, by the same layers.

    Raises:
        UserError: the task's network is none of the three that this program knows, or predicts masks.
    """
    network: Any = task.network
    for layer in network.modules():
        if isinstance(layer, nn.modules.conv._ConvNd):
            layer.weight.data = layer.weight.data.contiguous()
    if isinstance(network, Disentangler):
        if network.predict_masks:
            raise UserError("the straightforward program predicts no masks: leave plain out of --programs")
        return lambda batch: _disentangle(network, *batch)
    if isinstance(network, Autoencoder):
        return lambda batch: (network(batch[0]) - batch[0]).abs().mean()
    if isinstance(network, Classifier):
        return lambda batch: F.cross_entropy(network(batch[0]), batch[2])
    raise UserError(f"the straightforward program knows no {type(network).__name__}: leave plain out of --programs")


def _disentangle(network: Disentangler, clip: Tensor, masks: Tensor, label: Tensor) -> Tensor:
    features = split_features(network.encoder(clip))
    reversed_features = split_features(network.encoder(clip.flip(2)))  # its gradient is kept
    kernels = network.kernel_decoder(features.motion)
    cross = network.cross_convolution
    reduced = cross.reduce(features.foreground.detach())
    moved = torch.cat([F.conv2d(reduced[i : i + 1], kernels[i], padding="same") for i in range(len(clip))])
    moved = cross.restore(moved + cross.bias[:, None, None])
    first, last = clip[:, :, 0], clip[:, :, -1]
    loss = (network.background_decoder(features.background) - first * (1 - masks[:, :1])).abs().mean()
    for made, frame, mask in (
        (network.foreground_decoder(features.foreground), first, masks[:, :1]),
        (network.foreground_decoder(moved), last, masks[:, -1:]),
    ):
        area = mask.sum((1, 2, 3), keepdim=True).clamp(min=1)
        weights = torch.where(mask > 0, (mask[0].numel() / area - 1).clamp(min=1), torch.ones_like(mask))
        loss = loss + (weights * (made - frame * mask).abs()).mean()
    total: Tensor = loss + F.mse_loss(moved, reversed_features.foreground)
    return total
