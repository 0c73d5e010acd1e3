"""The data module: a store's clips, one loader per split. The only module of this package that imports Lightning."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from fbm.data.batch import ClipBatch, Windows
from fbm.data.clips import ClipDataset, ClipSettings, identity_collate, span_of
from fbm.data.dataset import VideoDataset
from fbm.data.datasets.ucf101 import check_no_leak
from fbm.data.decoding.video import Decoder
from fbm.data.sampler import FROM_START, ResumableDistributedSampler, resume_position
from fbm.data.store.frame_store import FrameStore
from fbm.data.views import ViewDataset
from fbm.utils.errors import UserError

HANGING = 900  # seconds without a batch


class ClipDataModule(pl.LightningDataModule):
    """Clips of a prepared store.

    Attributes:
        classes: names in label order.
        empty_classes: names of the classes without clips.

    Args:
        store: folder made by `fbm prepare`.
        size: of the frames, pixels; must be the store's.
        masks: name of the mask source the store was prepared with.
        source: the data set, whose settings that make the splits must be the store's; nothing is read from it. None
            takes the store as it is.
        skip_broken: leave out videos that are listed but broken or missing; False refuses such a store.
        chunk_frames, clip_frames: 32 and 16 in the reference program; with 16 and 16 chunks are the paper's whole
            clips, without a random offset.
        label_fraction: share of each class's training groups that is used, nested and by whole groups; of videos
            without a label all are.
        batch_size: clips of one step over all ranks.
        num_workers: loader processes; 0 reads in the training process.
        seed: of windows, flips and order.
        empty_classes: "leave_out" gives no label to classes without clips.
        frames, quality, decoder: how the store keeps frames and what made them, which must be so.
        test_clips: clips of each test video, evenly spaced over it; None tests the middle of each chunk.
        least_confidence: training videos whose masks are less sure than this are left out; tests keep every video.
        reverse, frame_interval: see `ClipDataset`.

    Raises:
        UserError: the store is missing, was prepared with other settings, is broken, or leaks between splits.
    """

    def __init__(
        self,
        store: Path,
        size: int,
        masks: str,
        source: VideoDataset | None,
        skip_broken: bool,
        chunk_frames: int,
        clip_frames: int,
        label_fraction: float,
        batch_size: int,
        num_workers: int,
        seed: int,
        empty_classes: Literal["leave_out"] | None = None,
        frames: str = "raw",
        quality: int | None = None,
        decoder: Decoder = "pyav",
        least_confidence: float = 0.0,
        test_clips: int | None = None,
        reverse: bool = True,
        frame_interval: int = 1,
    ) -> None:
        super().__init__()
        span = span_of(clip_frames, frame_interval)
        for holds, wanted in (
            (
                clip_frames >= 1 and frame_interval >= 1 and span <= chunk_frames,
                f"data.{clip_frames=} and data.{frame_interval=} must be at least 1, and the {span} frames that they "
                f"span at most data.{chunk_frames=}",
            ),
            (batch_size >= 1, f"data.{batch_size=} must be at least 1"),
            (num_workers >= 0, f"data.{num_workers=} must be at least 0"),
            (test_clips is None or test_clips >= 1, f"test_views.clips={test_clips} must be at least 1, or null"),
            (
                empty_classes in (None, "leave_out"),
                f"data.empty_classes={empty_classes}: it should be leave_out or null",
            ),
            (0 <= least_confidence <= 1, f"masks.{least_confidence=}: it should be from 0 to 1"),
            (0 < label_fraction <= 1, f"data.{label_fraction=} must be above 0 and at most 1"),
        ):
            if not holds:
                raise UserError(wanted)
        self.store = FrameStore(Path(store))
        self.batch_size, self.num_workers = batch_size, num_workers
        kept = {"size": size, "masks": masks, "frames": frames, "quality": quality, "decoder": decoder}
        self._check({**kept, **(source.selection() if source else {})}, skip_broken)
        classes = self.store.manifest.classes
        self.empty_classes = self.store.manifest.classes_without_clips(chunk_frames)
        if empty_classes == "leave_out":
            classes = [name for name in classes if name not in self.empty_classes]
        self.classes = classes
        cut = ClipSettings(chunk_frames=chunk_frames, clip_frames=clip_frames, frame_interval=frame_interval)
        chosen = partial(ClipDataset, self.store, seed=seed, label_fraction=label_fraction, classes=classes, **cut)
        self.clips = {
            split: chosen(split, reverse=reverse, least_confidence=least_confidence if split == "train" else 0)
            for split in ("train", "val", "test")
        }
        if test_clips is not None:
            self.clips["test"] = ViewDataset(self.store, "test", clip_frames, seed, test_clips, classes, frame_interval)
        self.seed = seed
        if not len(self.clips["train"]):
            sure = f" with masks of masks.least_confidence={least_confidence:g}" if least_confidence else ""
            raise UserError(f"the store {store} holds no training video of at least {chunk_frames} frames{sure}")

    @property
    def samples(self) -> dict[str, int]:
        """Clips in each split."""
        return {split: len(clips) for split, clips in self.clips.items()}

    @property
    def steps_per_epoch(self) -> int:
        """Training batches in an epoch, over all ranks."""
        return max(1, len(self.clips["train"]) // self.batch_size)

    @property
    def has_masks(self) -> bool:
        """Whether any training video has any foreground."""
        return any(video.masked_frames for video in self.clips["train"].videos)

    def leave_out_unlabelled(self) -> None:
        """Drop the clips without a label.

        Raises:
            UserError: no training clip is left.
        """
        self.clips = {split: clips.labelled for split, clips in self.clips.items()}
        if not len(self.clips["train"]):
            raise UserError(
                f"the store {self.store.root} holds no training video with a label, which task=classify needs: "
                "prepare it from labelled ones (data=classes data.root=PATH, data=ucf101 data.root=PATH)"
            )

    def select_mask_frames(self, frames: Sequence[int] | None) -> None:
        """Read masks of these frames of a clip only; None reads all."""
        for clips in self.clips.values():
            clips.mask_frames = frames

    def select_windows(self, windows: Windows | None) -> None:
        """Read several clips of its video for each sample; None reads one of its chunk.

        Raises:
            UserError: videos may be too short for so many different windows.
        """
        clips = self.clips["train"]
        if windows is not None and clips.slack < windows.clips - 1:
            raise UserError(
                f"{windows.clips} different windows of data.clip_frames={clips.clip_frames} need videos of "
                f"{clips.span + windows.clips - 1} frames, and data.chunk_frames={clips.chunk_frames} allows "
                "shorter ones: raise it to that"
            )
        for clips in self.clips.values():
            clips.windows = windows

    def evaluated(self, split: str, batches: int | None) -> int:
        """The number of validation or test samples in so many batches over all ranks; None is all batches."""
        samples = len(self.clips[split])
        return samples if batches is None else min(samples, batches * self.batch_size)

    def rank_batch_size(self, ranks: int) -> int:
        """Clips of one step on each of so many ranks.

        Raises:
            UserError: batches or splits cannot be shared evenly by so many ranks.
        """
        if self.batch_size % ranks:
            raise UserError(
                f"data.batch_size={self.batch_size} is over all ranks: it must be a multiple of their number, {ranks}"
            )
        if ranks > 1 and len(self.clips["train"]) < self.batch_size:
            raise UserError(
                f"{len(self.clips['train'])} training clips do not fill one batch of data.batch_size={self.batch_size} "
                f"for {ranks} ranks: lower it, or train with one rank"
            )
        for split, samples in self.samples.items():
            if 0 < samples < ranks:
                raise UserError(
                    f"{self.store.root} holds {samples} {split} clips, fewer than the {ranks} ranks: use fewer ranks"
                )
        return self.batch_size // ranks

    def setup(self, stage: str) -> None:
        if self.trainer is not None:
            self.rank_batch_size(self.trainer.world_size)  # before ranks wait for each other

    def _check(self, asked: dict[str, Any], skip_broken: bool) -> None:
        manifest = self.store.manifest
        kept = ("size", "masks", "frames", "quality", "decoder")
        stored = {name: getattr(manifest, name) for name in kept} | manifest.selection
        for name, value in asked.items():
            if stored.get(name) != value:
                key = "masks" if name == "masks" else f"data.{name}"
                raise UserError(
                    f"the store {self.store.root} was prepared with {key}={stored.get(name)}, this run asks for "
                    f"{key}={value}: run `fbm prepare` with it (frames already decoded are kept) or set data.store"
                )
        if manifest.broken and not skip_broken:
            first = manifest.broken[0]
            raise UserError(
                f"{len(manifest.broken)} of {len(manifest.videos)} videos in {self.store.root} cannot be used, "
                f"the first is {first.name} ({first.status}: {first.reason}): fix them and prepare again, "
                "or leave them out with data.skip_broken=true"
            )
        check_no_leak(self.store.usable)

    def train_dataloader(self) -> DataLoader[ClipBatch]:
        """Shuffled in each epoch, in whole batches if there is one. A resumed epoch continues where it was left."""
        return self._loader("train", self.seed)

    def val_dataloader(self) -> DataLoader[ClipBatch] | Sequence[Any]:
        """Every validation clip once, in order."""
        return self._loader("val") if len(self.clips["val"]) else []

    def test_dataloader(self) -> DataLoader[ClipBatch]:
        """Every test clip once, in order."""
        return self._loader("test")

    def _loader(self, split: str, seed: int | None = None) -> DataLoader[ClipBatch]:
        clips, trainer = self.clips[split], self.trainer
        rank, ranks, position, on_gpu = 0, 1, FROM_START, False
        if trainer is not None:
            rank, ranks = trainer.global_rank, trainer.world_size
            position = resume_position(trainer) if split == "train" else position
            on_gpu = trainer.strategy.root_device.type == "cuda"
        return DataLoader(
            clips,
            batch_size=self.rank_batch_size(ranks),
            sampler=ResumableDistributedSampler(len(clips), self.batch_size, seed, rank, ranks, position),
            collate_fn=identity_collate,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            # Decoding can hang; a copy of stored frames cannot.
            timeout=0 if self.store.kind.stored or not self.num_workers else HANGING,
            pin_memory=on_gpu,
            generator=torch.Generator(),  # its workers' seeds would otherwise be drawn from the global one
        )
