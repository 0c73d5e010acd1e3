"""A store of more videos than a process may open files: is it read as fast as where the limit is no matter?"""

import resource
import tempfile
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np

from benchmarks.clips import CHUNK, CLIP, loader, rate
from benchmarks.made_store import make_store
from benchmarks.result import Result, Row, Table
from benchmarks.rounds import alone, in_turn
from fbm.data.clips import ClipDataset
from fbm.data.store.array import HEADER, StoreArray
from fbm.data.store.frame_store import FrameStore
from fbm.utils.errors import UserError
from fbm.utils.machine import configure_malloc

SIZE, FRAMES = 32, 34  # of the videos; a clip each
FILES = 2  # of a video: frames and masks
SPARE = 200  # descriptors for all else that a process has open
WORKERS = (0, 2)
EPOCHS = 3  # after the first, in which every file is compared with its checksum and mapped
NUMPY = "numpy.memmap, a descriptor a file"


def bench_open_files(videos: int, limit: int, batch: int, rounds: int, result: Result) -> None:
    """Fill `result` with clips/s, more is better: under `limit` open files, under the shell's own, and numpy's maps.

    Args:
        videos: of the store; frames and masks of each are files, links of a few.
        limit: open files that a process may have.
        batch: clips in it.

    Raises:
        UserError: the store is smaller than a batch, or the limit higher than this system's.
    """
    usual, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if videos < batch:
        raise UserError(f"--videos {videos}: take at least --batch {batch}, each has one clip")
    if most != resource.RLIM_INFINITY and limit > most:
        raise UserError(f"--limit {limit}: this system allows {most} at the most")
    ways = {f"ulimit -n {limit}": (limit, False), f"ulimit -n {usual}, the shell's own": (usual, False)}
    needed = FILES * videos + SPARE
    if most == resource.RLIM_INFINITY or needed <= most:
        ways[f"{NUMPY}: ulimit -n {needed}"] = (needed, True)
    else:
        result.notes.append(f"{NUMPY}: not measured, it needs {needed:,} and the system allows {most:,}")
    with tempfile.TemporaryDirectory() as place:
        store = make_store(Path(place, "store"), videos, SIZE, FRAMES)
        measures = {
            (name, workers): partial(alone, _measure, store, allowed, numpys, batch, workers)
            for workers in WORKERS
            for name, (allowed, numpys) in ways.items()
        }
        found = in_turn({f"{name}, {workers}": measure for (name, workers), measure in measures.items()}, rounds)
    for number, epoch in enumerate(("the first epoch", "later epochs")):
        for workers in WORKERS:
            rows = [Row(name, [each[number] for each in found[f"{name}, {workers}"]]) for name in ways]
            title = f"{videos:,} videos, {FILES * videos:,} files, {epoch}, data.num_workers={workers}"
            result.tables.append(Table(title, "clips/s", "more", rows))


def _measure(store: Path, allowed: int, numpys: bool, batch: int, workers: int) -> tuple[float, float]:
    """Clips/s of the first epoch and of later ones, in this process, which may open so many files."""
    configure_malloc()  # as training does
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    clips = ClipDataset(FrameStore(store), "train", CHUNK, CLIP, seed=0)
    clips.mask_frames = (0, -1)  # as pretraining reads them
    batches = len(clips) // batch
    made = loader(clips, batch, workers)
    with patch.object(StoreArray, "opened", _numpys_map) if numpys else nullcontext():
        return rate(made, batches, warm=0), rate(made, EPOCHS * batches)


def _numpys_map(file: StoreArray) -> np.ndarray:
    """The same values, by what one would take first."""
    return np.memmap(file.path, np.uint8, "r", HEADER, file.shape)
