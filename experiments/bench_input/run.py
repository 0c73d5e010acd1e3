"""How much faster are random clips from the store than decoded ones? Both in one run, from the same videos."""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import av
import decord
import numpy as np

from fbm.data.decode import decoder
from fbm.data.store import FrameStore, StoredVideo, frames_file

CLIP = 16  # frames


def keyframes(path: Path) -> int:
    """Keyframes in a file, counted without decoding."""
    with av.open(path) as container:
        return sum(packet.is_keyframe for packet in container.demux(video=0) if packet.size)


def clips_per_second(read: Callable[[StoredVideo, int], np.ndarray], wanted: list[tuple[StoredVideo, int]]) -> float:
    """Read every wanted clip once."""
    started = time.perf_counter()
    for video, start in wanted:
        clip = read(video, start)
        assert clip.shape[0] == CLIP
    return len(wanted) / (time.perf_counter() - started)


def main() -> None:
    """Print a table and write JSON beside the store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, required=True, help="made by fbm prepare, at 128 x 128")
    parser.add_argument("--root", type=Path, required=True, help="holds UCF-101/, the videos of the store")
    parser.add_argument("--clips", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("outputs/bench_input.json"))
    given = parser.parse_args()
    store = FrameStore(given.store)
    size = store.manifest.size
    paths = {video.name: given.root / "UCF-101" / f"{video.name}.avi" for video in store.playable}
    single = [video for video in store.playable if video.frames >= CLIP and keyframes(paths[video.name]) == 1]
    generator = np.random.default_rng(0)
    chosen = [single[number] for number in generator.integers(len(single), size=given.clips)]
    wanted = [(video, int(generator.integers(video.frames - CLIP + 1))) for video in chosen]

    maps: dict[str, np.ndarray] = {}

    def from_store(video: StoredVideo, start: int) -> np.ndarray:
        return store.frames(video.name, start, start + CLIP)

    def from_map(video: StoredVideo, start: int) -> np.ndarray:
        if video.name not in maps:
            maps[video.name] = np.load(frames_file(given.store, video.name), mmap_mode="r")
        return np.array(maps[video.name][start : start + CLIP])

    def from_file(video: StoredVideo, start: int) -> np.ndarray:
        reader = decord.VideoReader(str(paths[video.name]), width=size, height=size, num_threads=1)
        frames: np.ndarray = reader.get_batch(range(start, start + CLIP)).asnumpy()
        return frames

    video, start = wanted[0]
    assert np.array_equal(from_store(video, start), from_file(video, start))
    first = clips_per_second(from_store, wanted)
    readers = {"store": from_store, "the same files, memory-mapped": from_map, "decord": from_file}
    rates: dict[str, list[float]] = {name: [] for name in readers}
    for _ in range(given.repeats):  # in turn, so that a machine that drifts slows all
        for name, read in readers.items():
            rates[name].append(clips_per_second(read, wanted))
    ratio = statistics.median(a / b for a, b in zip(rates["store"], rates["decord"], strict=True))
    machine = f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores, {decoder()}, numpy {np.__version__}"
    print(f"{given.clips} random clips of {CLIP} frames, {size} x {size}, from {len(single)} files with one keyframe")
    print(f"{machine}; median of {given.repeats}, page cache warm\n\n| | clips/s |\n| --- | --- |")
    for name, values in rates.items():
        print(f"| {name} | {statistics.median(values):,.0f} |")
    print(f"| ratio of store and decord | {ratio:,.0f} |")
    print(f"\nThe store's first pass, which compares checksums and may read the disk: {first:,.0f} clips/s")
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(
        json.dumps({"machine": machine, "clips_per_second": rates, "first": first, "ratio": ratio}, indent=2)
    )


if __name__ == "__main__":
    main()
