"""From the store to samples: 32-frame chunks, 16-frame windows in them, flips. Nothing is decoded here."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from fbm.batch import ClipBatch
from fbm.data.store import FrameStore, StoredVideo


class Key(NamedTuple):
    """What a worker is asked for. The epoch travels with the sample, so a worker's state cannot matter."""

    epoch: int
    sample: int
    counted: bool = True  # False: the sample only fills up a rank's share


class Begun(NamedTuple):
    """Where a resumed training goes on: so many steps of this epoch are done."""

    epoch: int
    steps: int


AFRESH = Begun(0, 0)


@dataclass(frozen=True)
class Window:
    """Where a clip starts in its chunk, and how it is flipped."""

    start: int
    backwards: bool
    mirrored: bool


def chunks(frames: int, chunk_frames: int) -> range:
    """The first frames of a video's whole, non-overlapping chunks; the rest is dropped."""
    return range(0, frames - chunk_frames + 1, chunk_frames)


def draw_window(seed: int, key: Key, slack: int) -> Window:
    """The random choices for one training sample, from (seed, epoch, sample) alone.

    Args:
        slack: how many frames the chunk is longer than the clip.
    """
    generator = np.random.default_rng([seed, key.epoch, key.sample])
    return Window(int(generator.integers(slack + 1)), *(generator.random(2) < 0.5).tolist())


def labelled(videos: Sequence[StoredVideo], fraction: float) -> list[StoredVideo]:
    """The videos of `fraction` of each class's groups, at least one group of each class.

    Whole groups, because clips of one group are nearly copies; a smaller fraction's are among a larger one's; the
    same ones for every seed of a run.
    """
    kept: set[tuple[str, int]] = set()
    for action in {video.action for video in videos}:
        groups = sorted({video.group for video in videos if video.action == action})
        order = np.random.default_rng([*action.encode()]).permutation(groups)
        kept |= {(action, int(group)) for group in order[: max(1, round(fraction * len(groups)))]}
    return [video for video in videos if (video.action, video.group) in kept]


def spread(samples: int, most: int) -> list[int]:
    """All of so many samples, or `most` of them spread evenly; always the same ones."""
    return [int(sample) for sample in np.linspace(0, samples - 1, min(samples, most)).round()]


class Clips(Dataset[ClipBatch]):
    """One split of a store as clips; a sample is a chunk, asked for by `Key`.

    Args:
        store: opened; its frames are read through memory maps.
        split: "train" draws a random window and flips, the others take the middle window as it is.
        chunk_frames, clip_frames: 32 and 16 in the paper.
        seed: of the random choices.
        label_fraction: share of the training groups that is used, see `labelled`; the other splits stay whole.
        augment: False takes the middle window in training too.
    """

    def __init__(
        self,
        store: FrameStore,
        split: str,
        chunk_frames: int,
        clip_frames: int,
        seed: int,
        label_fraction: float = 1.0,
        augment: bool = True,
    ) -> None:
        self.store, self.seed = store, seed
        self.clip_frames, self.slack = clip_frames, chunk_frames - clip_frames
        self.random = augment and split == "train"
        labels = {action: label for label, action in enumerate(store.manifest.classes)}
        videos = [video for video in store.playable if video.split == split]
        self.videos = labelled(videos, label_fraction) if split == "train" else videos
        self.labels = [labels[video.action] for video in self.videos]
        self.samples = [
            (number, start) for number, video in enumerate(self.videos) for start in chunks(video.frames, chunk_frames)
        ]

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, key: Key) -> ClipBatch:
        number, chunk = self.samples[key.sample]
        video: StoredVideo = self.videos[number]
        window = draw_window(self.seed, key, self.slack) if self.random else Window(self.slack // 2, False, False)
        start = chunk + window.start
        frames = self.store.frames(video.name, start, start + self.clip_frames)
        masks = self.store.masks(video.name, start, start + self.clip_frames)
        time = slice(None, None, -1 if window.backwards else 1)
        across = slice(None, None, -1 if window.mirrored else 1)
        return ClipBatch(
            torch.from_numpy(np.array(frames[time, :, across])),
            torch.from_numpy(np.array(masks[time, :, across])),
            torch.tensor(self.labels[number]),
            torch.tensor(number),
            torch.tensor(key.sample),
            torch.tensor(key.counted),
        )


class KeySampler(Sampler[Key]):
    """One rank's share of an epoch's samples: step k over all ranks holds the same samples whatever their number.

    In training the order is shuffled by (seed, epoch) and cut to whole batches, so that every rank has equally many.
    In evaluation (`seed=None`) it stays as it is, and nothing is cut: ranks that would have one sample less get one to
    fill up with, a key that is not `counted`. For equally many they must be: in every forward pass ranks wait for each
    other, and for one that has none left they would wait for ever.

    Args:
        samples: how many there are.
        batch: samples of one step over all ranks, a multiple of `ranks`. Fewer training samples than that are one
            incomplete batch, which only a single rank can take.
        seed: of the shuffle; None is evaluation.
        rank, ranks: the share is every `ranks`-th sample from `rank` on.
        begun: its epoch is begun after the steps that are done; every other one is whole.
    """

    def __init__(
        self, samples: int, batch: int, seed: int | None, rank: int = 0, ranks: int = 1, begun: Begun = AFRESH
    ) -> None:
        self.samples, self.batch, self.seed = samples, batch, seed
        self.rank, self.ranks, self.begun = rank, ranks, begun
        self.epoch = begun.epoch  # Lightning asks for an iterator before it calls `set_epoch`

    def set_epoch(self, epoch: int) -> None:
        """Lightning calls this at the start of every epoch."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[Key]:
        done = self.begun.steps if self.epoch == self.begun.epoch else 0
        keys = self._evaluated() if self.seed is None else self._shuffled(self.seed)
        return iter(keys[self.rank + done * self.batch :: self.ranks])

    def __len__(self) -> int:
        """Samples of a whole epoch on this rank, also of one that is begun: Lightning adds what is done itself."""
        return len(range(self.rank, self._places, self.ranks))

    @property
    def _places(self) -> int:
        """Keys of an epoch over all ranks."""
        if self.seed is None:
            return -(-self.samples // self.ranks) * self.ranks
        return self.samples // self.batch * self.batch or self.samples

    def _shuffled(self, seed: int) -> list[Key]:
        order = np.random.default_rng([seed, self.epoch]).permutation(self.samples)
        return [Key(self.epoch, int(sample)) for sample in order[: self._places]]

    def _evaluated(self) -> list[Key]:
        last = self.samples - 1
        return [Key(self.epoch, min(place, last), place <= last) for place in range(self._places)]
