"""From the store to samples: clips of `clip_frames` in chunks of `chunk_frames`, mirrored and reversed in training."""

import math
import struct
from collections.abc import Mapping, Sequence
from copy import copy
from itertools import groupby
from typing import Any, NamedTuple, TypedDict

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, get_worker_info
from xxhash import xxh3_64_intdigest

from fbm.data.batch import ClipBatch, Windows
from fbm.data.store.frame_store import FrameStore
from fbm.data.store.manifest import StoredVideo
from fbm.data.windows import Window, draw_windows, fixed_windows


class SampleKey(NamedTuple):
    """The key of a sample; it contains the epoch, so that samples do not depend on the state of a loader process."""

    epoch: int
    sample: int
    counted: bool = True  # False: padding, so that all ranks have equally many


def chunk_starts(frames: int, chunk_frames: int) -> range:
    """The first frames of a video's whole, non-overlapping chunks; a shorter rest is dropped."""
    return range(0, frames - chunk_frames + 1, chunk_frames)


def span_of(clip_frames: int, frame_interval: int) -> int:
    """Frames of the video from a clip's first to its last one."""
    return (clip_frames - 1) * frame_interval + 1


class ClipSettings(TypedDict):
    """How clips are cut from a video, as arguments of `ClipDataset`."""

    chunk_frames: int
    clip_frames: int
    frame_interval: int


def clip_settings(data: Mapping[str, Any]) -> ClipSettings:
    """How a run cuts clips, by its config's `data`, which in runs of earlier versions has no interval."""
    return ClipSettings(
        chunk_frames=data["chunk_frames"],
        clip_frames=data["clip_frames"],
        frame_interval=data.get("frame_interval", 1),
    )


def draw_window(seed: int, key: SampleKey, slack: int, reverse: bool = True) -> Window:
    """The random choices for one training sample, a function of (seed, epoch, sample) alone.

    Args:
        slack: how many frames the chunk is longer than the clip's span.
        reverse: False reverses none; the other choices stay the same.
    """
    # A hash is as random as a generator's first numbers; making a generator takes half as long as reading the clip.
    bits = xxh3_64_intdigest(struct.pack("<3q", seed, key.epoch, key.sample))
    return Window((bits >> 2) % (slack + 1), reverse and bool(bits & 1), bool(bits & 2))


def subsample_groups(videos: Sequence[StoredVideo], fraction: float) -> list[StoredVideo]:
    """The videos of `fraction` of each class's groups, at least one group per class, and all videos without a label.

    Whole groups, since clips of one group are nearly copies. The choice depends on the class's name and groups
    alone: all runs of a study use the same, whatever their seed, and a smaller fraction is a subset of a larger one.

    Args:
        fraction: above 0, at most 1.
    """
    pairs = sorted({(video.action, video.group) for video in videos if video.action})
    kept: set[tuple[str, int]] = set()
    for action, own in groupby(pairs, key=lambda pair: pair[0]):
        order = np.random.default_rng([*action.encode()]).permutation([group for _, group in own])
        kept |= {(action, int(group)) for group in order[: max(1, round(fraction * len(order)))]}
    return [video for video in videos if not video.action or (video.action, video.group) in kept]


def evenly_spaced(count: int, most: int) -> list[int]:
    """`min(count, most)` indices below `count`, evenly spaced."""
    return [int(index) for index in np.linspace(0, count - 1, min(count, most)).round()]


class ClipDataset(Dataset[ClipBatch]):
    """One split of a store as clips; a sample is a chunk, indexed by `SampleKey`.

    Args:
        store: an open one.
        split: "train" draws a random window, mirrored or not and reversed or not; the others take the middle window as
            it is.
        chunk_frames, clip_frames: 32 and 16 as in the reference program; 16 and 16 as in the paper, without an offset.
        seed: of the random choices.
        label_fraction: share of the training groups that is used, see `subsample_groups`.
        random_windows: False takes the middle window as it is in training too.
        classes: their names in label order; None takes all of the store's.
        least_confidence: videos whose masks are less sure than this, 0 to 1, are left out.
        reverse: training reverses each clip in time with probability 1/2, as the paper does; False reverses none, and
            several windows of a video never are.
        frame_interval: of the video's frames from one of a clip's to the next.

    Attributes:
        span: frames of the video from a clip's first to its last one.
        slack: how many more a chunk has.
    """

    def __init__(
        self,
        store: FrameStore,
        split: str,
        chunk_frames: int,
        clip_frames: int,
        seed: int,
        label_fraction: float = 1.0,
        random_windows: bool = True,
        classes: Sequence[str] | None = None,
        least_confidence: float = 0.0,
        reverse: bool = True,
        frame_interval: int = 1,
    ) -> None:
        self.store, self.seed, self.random, self.reverse = store, seed, random_windows and split == "train", reverse
        self.classes = store.manifest.classes if classes is None else classes
        self.chunk_frames, self.clip_frames, self.frame_interval = chunk_frames, clip_frames, frame_interval
        self.span = span_of(clip_frames, frame_interval)
        self.slack = chunk_frames - self.span
        self.mask_frames: Sequence[int] | None = None  # the frames of a clip that a sample has masks of; None is all
        self.windows: Windows | None = None  # several clips of the video in each sample; None is one of the chunk
        videos = [v for v in store.usable if v.split == split and v.mask_confidence >= least_confidence]
        self._take(subsample_groups(videos, label_fraction) if split == "train" else videos)

    def _take(self, videos: list[StoredVideo]) -> None:
        """Set the videos; the label of one without a class is -1."""
        labels = {action: label for label, action in enumerate(self.classes)}
        self.videos, self.labels = videos, [labels.get(video.action, -1) for video in videos]
        starts = [chunk_starts(video.frames, self.chunk_frames) for video in videos]
        self.samples = [(number, start) for number, first in enumerate(starts) for start in first]

    @property
    def labelled(self) -> "ClipDataset":
        """This split without the videos whose label is -1: they have no class, or one that `classes` leaves out."""
        if -1 not in self.labels:
            return self
        some = copy(self)
        some._take([video for video, label in zip(self.videos, self.labels, strict=True) if label >= 0])
        return some

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, key: SampleKey) -> ClipBatch:
        return ClipBatch(*(field[0] for field in self.batch([key])))

    def __getitems__(self, keys: Sequence[SampleKey]) -> ClipBatch:
        """Called by the loader, which collates nothing."""
        return self.batch(keys)

    def batch(self, keys: Sequence[SampleKey]) -> ClipBatch:
        """Several samples, fields as in `ClipBatch`, `B` first.

        Frames go straight to their place in the batch: a raw store's are copied once, from the page cache, others are
        decoded into it.
        """
        size = self.store.manifest.size
        count = self.windows.clips if self.windows else 1
        frames = _empty_batch(len(keys), count, self.clip_frames, size, size, 3)
        masked = self.clip_frames if self.mask_frames is None else len(self.mask_frames)
        masks = _empty_batch(len(keys), count, masked, size, size)
        for key, frames_out, masks_out in zip(keys, frames.numpy(), masks.numpy(), strict=True):
            number = self.samples[key.sample][0]
            for window, clip_out, clip_masks_out in zip(self._windows(key), frames_out, masks_out, strict=True):
                self._read(self.videos[number].name, window, clip_out, clip_masks_out)
        numbers = [self.samples[key.sample][0] for key in keys]
        return ClipBatch(
            frames if self.windows else frames.squeeze(1),
            masks if self.windows else masks.squeeze(1),
            torch.tensor([self.labels[number] for number in numbers]),
            torch.tensor(numbers),
            torch.tensor([key.sample for key in keys]),
            torch.tensor([key.counted for key in keys]),
        )

    def _windows(self, key: SampleKey) -> list[Window]:
        """The windows of a sample in its video."""
        number, chunk = self.samples[key.sample]
        if self.windows is None:
            middle = Window(self.slack // 2, False, False)
            window = draw_window(self.seed, key, self.slack, self.reverse) if self.random else middle
            return [window._replace(start=chunk + window.start)]
        slack = self.videos[number].frames - self.span
        if self.random:
            return draw_windows(self.windows, self.span, slack, (self.seed, key.epoch, key.sample))
        return fixed_windows(self.windows, self.span, slack, chunk + self.slack // 2)

    def _read(self, name: str, window: Window, frames: np.ndarray, masks: np.ndarray) -> None:
        """A window of a video into frames `T H W 3` and masks `M H W`, flipped while it is in the processor's cache."""
        taken = range(window.start, window.start + self.span, self.frame_interval)
        step = -1 if window.reversed else 1
        self.store.fill(name, taken.start, frames[::step], self.frame_interval)
        if window.hflipped:
            _hflip_in_place(frames)
        if len(masks):
            masks[:] = self.store.masks(name, [taken[::step][frame] for frame in self.mask_frames or range(len(taken))])
            if window.hflipped:
                _hflip_in_place(masks)


def _hflip_in_place(pictures: np.ndarray) -> None:
    """Flip `T H W ...` left to right, in place."""
    column = pictures.reshape(-1, *pictures.shape[2:])  # all on top of each other: one picture
    cv2.flip(column, 1, column)


def identity_collate(batch: Any) -> Any:
    """For a loader's `collate_fn`: `ClipDataset` gives whole batches."""
    return batch


def _empty_batch(*shape: int) -> Tensor:
    """uint8, not set; in a loader's worker it is shared memory, so that nothing is copied on the way out."""
    if get_worker_info() is None:
        return torch.empty(shape, dtype=torch.uint8)
    shared = torch.UntypedStorage._new_shared(math.prod(shape))
    return torch.empty(0, dtype=torch.uint8).set_(shared).view(shape)
