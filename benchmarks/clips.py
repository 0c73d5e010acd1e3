"""Clips/s of training's own loader from every kind of store, of decoders alone, and of a plain memory copy."""

import os
import tempfile
import time
from collections.abc import Callable, Iterable
from functools import partial
from itertools import chain, islice, repeat
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from benchmarks.converted import converted
from benchmarks.decoders import Peer, missing, peers, usable
from benchmarks.result import Result, Row, Table
from benchmarks.rounds import in_turn
from fbm.data.batch import ClipBatch
from fbm.data.clips import ClipDataset, SampleKey, identity_collate
from fbm.data.sampler import ResumableDistributedSampler
from fbm.data.store.frame_store import FrameStore, files_of
from fbm.data.store.kinds.choose import frame_kind
from fbm.data.store.kinds.kind import FrameKind
from fbm.utils.errors import UserError
from fbm.utils.machine import configure_malloc

CHUNK, CLIP = 32, 16  # frames, as in the reference program
WORKERS = (0, 1, 2)
WARM = 3  # batches before the first that counts: their memory is new
DECODED = 2  # batches that a decoder makes in a round: they are slow


class FromFiles(Dataset[np.ndarray]):
    """The same clips, decoded from the files; what a loader would do without a store."""

    def __init__(self, clips: ClipDataset, paths: dict[str, Path], peer: Peer) -> None:
        self.clips, self.paths, self.peer = clips, paths, peer

    def __getitem__(self, key: SampleKey) -> np.ndarray:
        number, start = self.clips.samples[key.sample]
        path = self.paths[self.clips.videos[number].name]
        return self.peer.clip(path, start + 8, CLIP, self.clips.store.manifest.size)


def bench_clips(store: Path, root: Path, batch: int, batches: int, rounds: int, result: Result) -> None:
    """Fill `result` with clips/s, more is better: from a cold page cache, then warm, then decoders.

    Args:
        batch: clips in it.
        batches: of a round, after a first one.
    """
    configure_malloc()  # as training does
    opened = FrameStore(store)
    size = opened.manifest.size
    clips = ClipDataset(opened, "train", CHUNK, CLIP, seed=0)
    clips.mask_frames = (0, -1)  # as pretraining reads them
    paths = {video.name: root / "UCF-101" / f"{video.name}.avi" for video in opened.usable}
    if absent := [path for path in paths.values() if not path.is_file()]:
        raise UserError(f"--root {root}: {absent[0]} is not there, and {len(absent) - 1} more of the store's videos")
    if len(clips) < batch:
        raise UserError(f"--batch {batch}: the store {store} holds {len(clips)} training clips")
    _forget(opened)
    cold = rate(loader(clips, batch, 0), len(clips) // batch, warm=0)
    measures: dict[str, Callable[[], float]] = {
        f"store, {workers} workers": partial(_read, clips, batch, batches, workers) for workers in WORKERS
    }
    with tempfile.TemporaryDirectory() as place:
        for kind in kinds():
            other = ClipDataset(
                FrameStore(converted(opened, kind, paths, Path(place, kind.label))), "train", CHUNK, CLIP, seed=0
            )
            other.mask_frames = clips.mask_frames
            if left_out := len(opened.usable) - len(other.store.usable):
                result.notes.append(
                    f"{kind.label} refuses {left_out} of {len(opened.usable)} files; they are left out."
                )
            few = batches if kind.stored else DECODED
            for workers in (0, 2):
                name = f"data.frames={kind.label}, {workers} workers"
                measures[name] = partial(_read, other, batch, few, workers, WARM if kind.stored else 0)
        measures["plain memory copy of the same bytes"] = partial(_copied, batch, batches, size)
        for group, chosen in (("one-keyframe files", _single(paths, clips)), ("any file", list(range(len(clips))))):
            for name, peer in peers().items() if len(chosen) >= batch else ():
                sampler = [SampleKey(0, int(sample)) for sample in np.random.default_rng(0).permutation(chosen)]
                reading = DataLoader(FromFiles(clips, paths, peer), batch, sampler=sampler, drop_last=True)
                measures[f"{name}, {group}"] = partial(rate, reading, DECODED, warm=0)
        found = in_turn(measures, rounds)
    title = f"batches of {batch} clips of {CLIP} frames, {size} x {size}, page cache warm"
    result.tables.append(Table(title, "clips/s", "more", [Row(name, values) for name, values in found.items()]))
    note = "every file read whole and compared with its checksum"
    result.tables.append(
        Table("page cache cold", "clips/s", "more", [Row("store, 0 workers, first epoch", [cold], note)])
    )
    result.notes += missing()


def kinds() -> list[FrameKind]:
    """The kinds of frames besides raw: files with every decoder that is installed."""
    return [frame_kind("jpeg"), frame_kind("webp"), *(frame_kind("files", decoder=name) for name in usable())]


def _read(clips: ClipDataset, batch: int, batches: int, workers: int, warm: int = WARM) -> float:
    return rate(loader(clips, batch, workers), batches, warm)


def loader(clips: ClipDataset, batch: int, workers: int) -> Iterable[Any]:
    """Shuffled batches, as training's own loader makes them."""
    sampler = ResumableDistributedSampler(len(clips), batch, 0)
    return DataLoader(
        clips, batch, sampler=sampler, collate_fn=identity_collate, num_workers=workers, persistent_workers=workers > 0
    )


def rate(batches_of: Iterable[Any], batches: int, warm: int = WARM) -> float:
    """Clips/s over so many batches after the first few; an epoch that ends is followed by the next."""
    clips, began = 0, time.perf_counter()
    epochs = chain.from_iterable(repeat(batches_of))
    for number, found in enumerate(islice(epochs, warm + batches)):
        if number >= warm:
            clips += len(found.frames if isinstance(found, ClipBatch) else found)
        else:
            began = time.perf_counter()
    return clips / (time.perf_counter() - began)


def _copied(batch: int, batches: int, size: int) -> float:
    """The same bytes from memory to fresh batches; the source is larger than any cache."""
    rng = np.random.default_rng(0)
    shapes = (CLIP, size, size, 3), (2, size, size)
    sources = [np.ones((400, *shape), np.uint8) for shape in shapes]
    order = rng.integers(400, size=(WARM + batches, batch))
    began = 0.0
    for number, some in enumerate(order):
        began = time.perf_counter() if number == WARM else began  # as with the loader, the first ones do not count
        made = [torch.empty((batch, *shape), dtype=torch.uint8).numpy() for shape in shapes]
        for slot, place in enumerate(some):
            for to, source in zip(made, sources, strict=True):
                to[slot] = source[place]
    return batch * batches / (time.perf_counter() - began)


def _single(paths: dict[str, Path], clips: ClipDataset) -> list[int]:
    """Samples of files with one keyframe."""
    single = {name for name, path in paths.items() if _keyframes(path) == 1}
    return [sample for sample, (number, _) in enumerate(clips.samples) if clips.videos[number].name in single]


def _keyframes(path: Path) -> int:
    """Counted without decoding."""
    with av.open(path) as container:
        return sum(packet.is_keyframe for packet in container.demux(video=0) if packet.size)


def _forget(store: FrameStore) -> None:
    """Have the system forget the store's files: what is on the disk alone is read from the disk."""
    os.sync()
    for video in store.usable:
        for file in files_of(store.root, store.manifest, video):
            with file.path.open("rb") as opened:
                os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
