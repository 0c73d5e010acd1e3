"""Frames per CPU second of preparing a store, against decoders that decode and resize the same files."""

import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from benchmarks.decoders import Peer, checked, missing, peers, usable
from benchmarks.result import Result, Row, Table
from benchmarks.rounds import in_turn
from fbm.data.dataset import Video
from fbm.data.datasets.ucf101 import UCF101
from fbm.data.decoding.pyav import decode
from fbm.data.store.preparation import Preparation
from fbm.data.store.prepare import prepare
from fbm.data.store.prepare_video import PrepareJob, prepare_video
from fbm.utils.errors import UserError

TIMEOUT = 600.0  # seconds a file


def bench_prepare(root: Path, files: int, size: int, rounds: int, result: Result) -> None:
    """Fill `result`: decoding and resizing; the same with storing; one worker and two."""
    cv2.setNumThreads(1)
    videos = [video for video in UCF101(root, split="all").videos() if video.path.is_file()]
    if not videos:
        raise UserError(f"--root {root} holds no videos")
    chosen = videos[:: max(1, len(videos) // files)][:files]
    decoding = {"fbm, decode and resize": partial(_rate, chosen, partial(decode, size=size))}
    storing = {"fbm, whole preparation: with checksums": partial(_prepared, chosen, size)}
    for decoder in usable():
        if decoder != "pyav":  # measured above
            decoding[f"fbm, data.decoder={decoder}"] = partial(_rate, chosen, partial(checked, decoder, size=size))
    for name, peer in peers().items():
        whole = partial(_whole, peer, size)
        decoding[name] = partial(_rate, chosen, whole)
        storing[f"{name}, and numpy.save"] = partial(_saved, chosen, whole)
    for title, measures in (("decode and resize", decoding), ("decode, resize and store", storing)):
        found = in_turn(measures, rounds)
        rows = [Row(name, values) for name, values in found.items()]
        full = f"{title}, {len(chosen)} files to {size} x {size}, one thread"
        result.tables.append(Table(full, "frames per CPU second", "more", rows))
    both = {f"fbm prepare, {workers} workers": partial(_together, root, size, workers) for workers in (2, 1)}
    rows = [Row(name, values) for name, values in in_turn(both, rounds).items()]
    result.tables.append(Table(f"fbm prepare, all {len(videos)} files", "frames/s", "more", rows))
    result.notes += missing()


def _whole(peer: Peer, size: int, path: Path) -> Iterator[np.ndarray]:
    return peer.whole(path, size)


def _rate(videos: list[Video], frames: Callable[[Path], Iterator[np.ndarray]]) -> float:
    began, count = time.process_time(), 0
    for video in videos:
        count += sum(len(batch) for batch in frames(video.path))
    return count / (time.process_time() - began)


def _saved(videos: list[Video], frames: Callable[[Path], Iterator[np.ndarray]]) -> float:
    with tempfile.TemporaryDirectory() as place:
        began, count = time.process_time(), 0
        for number, video in enumerate(videos):
            made = np.concatenate(list(frames(video.path)))
            np.save(Path(place, f"{number}.npy"), made)
            count += len(made)
        return count / (time.process_time() - began)


def _prepared(videos: list[Video], size: int) -> float:
    with tempfile.TemporaryDirectory() as place:
        began = time.process_time()
        rows = [prepare_video(PrepareJob(video, Path(place), size, "none", None, None)) for video in videos]
        return sum(row.frames for row in rows) / (time.process_time() - began)


def _together(root: Path, size: int, workers: int) -> float:
    """Frames a second of the clock, of the whole command's work: planning, child processes, manifest."""
    with tempfile.TemporaryDirectory() as place:
        began = time.perf_counter()
        prepared = prepare(
            Preparation(UCF101(root, split="all"), None, "none", Path(place, "store"), size, workers, TIMEOUT)
        )
        return sum(video.frames for video in prepared.manifest.videos) / (time.perf_counter() - began)
