"""A large data set by one `fbm prepare` and by several shards at once: the same store, and in what time?"""

import os
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.result import Result, Row, Table
from benchmarks.rounds import in_turn
from benchmarks.startup import peak
from fbm.data.datasets.folders import Folders
from fbm.data.demo import make_demo
from fbm.data.store.manifest import MANIFEST
from fbm.data.store.prepare_shard import with_lengths
from fbm.data.store.shards import Shard, joined
from fbm.utils.errors import UserError

GROUPS, FRAMES = 3, 34  # of the demo's data, a class: 18 videos


def bench_shards(videos: int, shards: int, size: int, rounds: int, result: Result) -> None:
    """Fill `result`: seconds of a whole preparation, and of a shard's list of all videos.

    Raises:
        UserError: a store differs from that of one command.
    """
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        films = link_videos(root, videos)
        cores = len(os.sched_getaffinity(0))
        data = ["data=folder", f"data.folders=[{films}]", "data.duplicates=keep", "masks=none", f"data.size={size}"]
        several = ["launcher=joblib", f"prepare.shards={shards}"]
        ways: dict[str, Callable[[], tuple[float, float]]] = {
            "one command": partial(_prepare, root, data),
            f"{shards} shards, all at once": partial(
                _prepare, root, [*data, *several, f"hydra.launcher.n_jobs={shards}"]
            ),
            f"{shards} shards, {cores} at once": partial(
                _prepare, root, [*data, *several, f"hydra.launcher.n_jobs={cores}"]
            ),
        }
        rows = [
            Row(name, [seconds for seconds, _ in values], f"{min(cpu for _, cpu in values):,.0f} CPU s")
            for name, values in in_turn(ways, rounds).items()
        ]
        title = f"fbm prepare, {videos:,} videos to {size} x {size}"
        result.tables.append(Table(title, "s", "less", rows, "times the first"))
        source = Folders([films], duplicates="keep")
        listing: dict[str, Callable[[], float]] = {
            "read from the store": partial(_read, root / "listed", source),
            "made from the files": partial(_list, source),
        }
        rows = [Row(name, values) for name, values in in_turn(listing, rounds).items()]
        result.tables.append(Table(f"a shard's list of {videos:,} videos", "s", "less", rows, "times the first"))
        result.notes.append("All stores have the same manifest and the same files, byte for byte.")


def link_videos(root: Path, videos: int) -> Path:
    """A folder of so many videos: links to a few of the demo's."""
    make_demo(root / "demo", groups=GROUPS, test_groups=1, clips=1, frames=FRAMES)
    few = sorted((root / "demo").rglob("*.avi"))
    for number in range(videos):
        link = root / "films" / f"{number // 1000:03}" / f"{number:06}.avi"
        link.parent.mkdir(parents=True, exist_ok=True)
        os.link(few[number % len(few)], link)
    return root / "films"


def _prepare(root: Path, settings: list[str]) -> tuple[float, float]:
    """Seconds of the command, and CPU seconds of its processes; the first store is kept, to compare the others."""
    first = root / "first"
    store = root / "store" if first.exists() else first
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds, _ = peak(["prepare", *settings, f"data.store={store}"])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if store != first:
        _compare(first, store)
        shutil.rmtree(store)
    return seconds, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def _compare(one: Path, other: Path) -> None:
    names, others = (sorted(str(path.relative_to(store)) for path in store.rglob("*.*")) for store in (one, other))
    if names != others:
        raise UserError("the store of the shards has other files")
    for name in (MANIFEST, *(name for name in names if name.endswith(".npy"))):
        if (one / name).read_bytes() != (other / name).read_bytes():
            raise UserError(f"the store of the shards has another {name}")


def _list(source: Folders) -> float:
    began = time.perf_counter()
    with_lengths(source.videos())
    return time.perf_counter() - began


def _read(store: Path, source: Folders) -> float:
    with joined(store, Shard(0, 2), lambda: with_lengths(source.videos())):
        began = time.perf_counter()
        with joined(store, Shard(1, 2), lambda: []) as videos:
            if not videos:
                raise UserError("the list was not read")
            return time.perf_counter() - began
