"""`fbm prepare`: decode every video once into the frame store, several at a time, and go on where it stopped."""

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from fbm.data.decode import VideoError, read_header
from fbm.data.prepare_video import Job, prepare_video
from fbm.data.store import MANIFEST, Manifest, StoredVideo, frames_file, masks_file, read_manifest
from fbm.data.ucf101 import UCF101, Video
from fbm.errors import UserError
from fbm.files import checksum, held, write_text
from fbm.masks.source import MaskSource
from fbm.progress import progress

JOURNAL = "journal.jsonl"  # finished videos of a preparation that has not ended


@dataclass(frozen=True)
class Prepared:
    """What a preparation came to: the manifest, and how many videos were worked on (0: nothing was left to do)."""

    manifest: Manifest
    worked_on: int


def prepare(
    source: UCF101,
    masks: MaskSource | None,
    masks_name: str,
    store: Path,
    size: int,
    workers: int | None,
    timeout: float,
) -> Prepared:
    """Bring the store up to what `source` and `masks` say, doing only what is not there yet.

    Args:
        masks: None stores no masks (`masks_name` is then "none").
        size: of the stored frames, pixels.
        workers: child processes; None takes one a core.
        timeout: seconds that one file may take.

    Raises:
        UserError: the data set, the store or the disk does not allow it. A broken video is no error: its row says so.
    """
    videos = source.videos()
    with held(store, "the store"):
        known = _known(store, size)
        there = [video for video in videos if video.path.is_file()]
        jobs = _plan(there, known, masks, masks_name, store, size)
        rows = {video.name: _missing(video) for video in videos}
        rows |= {video.name: replace(known[video.name], split=video.split) for video in there if video.name in known}
        if jobs:
            _check_disk(jobs, store, size)
            _sweep_leftovers(store)
            rows |= _work(jobs, store, workers, timeout)
        manifest = Manifest(size, masks_name, source.selection(), [rows[video.name] for video in videos])
        path = store / MANIFEST
        if not path.is_file() or path.read_text() != manifest.to_json():
            write_text(path, manifest.to_json())
        (store / JOURNAL).unlink(missing_ok=True)
    return Prepared(manifest, len(jobs))


def _missing(video: Video) -> StoredVideo:
    reason = f"listed in the split files but not there: {video.path}"
    return StoredVideo(video.name, video.action, video.group, video.split, "missing", reason)


def _known(store: Path, size: int) -> dict[str, StoredVideo]:
    """What an earlier, perhaps interrupted, preparation left."""
    rows: dict[str, StoredVideo] = {}
    if (store / MANIFEST).is_file():
        manifest = read_manifest(store)
        if manifest.size != size:
            raise UserError(
                f"the store {store} holds frames of {manifest.size} pixels, data.size={size} asks for others: "
                "choose another data.store"
            )
        rows = {video.name: video for video in manifest.videos}
    if (store / JOURNAL).is_file():
        for line in (store / JOURNAL).read_text().splitlines():
            try:
                row = StoredVideo(**json.loads(line))
            except (ValueError, TypeError):
                continue  # the line that was being written when the process was killed
            rows[row.name] = row
    return rows


def _plan(
    videos: Sequence[Video],
    known: dict[str, StoredVideo],
    masks: MaskSource | None,
    masks_name: str,
    store: Path,
    size: int,
) -> list[Job]:
    """The videos whose frames or masks are not in the store as they should be."""
    jobs = []
    for video in videos:
        track = masks.track(video.name) if masks else None
        row = known.get(video.name)
        decoded = row if row and row.checksum and _unchanged(video, row, store, size) else None
        job = Job(video, store, size, masks_name, track, decoded)
        if not (decoded and decoded.ok and decoded.masks == job.masks_fingerprint and _has_masks(job)):
            jobs.append(job)
    return jobs


def _unchanged(video: Video, row: StoredVideo, store: Path, size: int) -> bool:
    """Whether the stored frames are whole and still those of the file."""
    frames = frames_file(store, video.name)
    if not frames.is_file() or frames.stat().st_size < row.frames * size * size * 3:
        return False
    stat = video.path.stat()
    if stat.st_size != row.source_bytes:
        return False
    # A copied data set has new times and the same content.
    return stat.st_mtime_ns == row.source_mtime_ns or checksum(video.path) == row.source_checksum


def _has_masks(job: Job) -> bool:
    return job.masks_name == "none" or masks_file(job.store, job.masks_name, job.video.name).is_file()


def _check_disk(jobs: Sequence[Job], store: Path, size: int) -> None:
    """Say how much disk the frames will need; refuse where there is less."""
    frames = 0
    for job in jobs:
        try:
            frames += read_header(job.video.path).frames if job.decoded is None else 0
        except VideoError:
            continue  # reported when its turn comes
    need = frames * size * size * 3 + frames * size * size // 8
    free = shutil.disk_usage(store).free
    gib = 2**30
    sizes = f"{frames:,} frames need {need / gib:.2f} GiB, {free / gib:.1f} GiB are free"
    print(f"{len(jobs)} videos to prepare: {sizes} at {store}")
    if need > free:
        raise UserError(f"not enough disk for {store}: {sizes}; free some or choose another data.store")


def _sweep_leftovers(store: Path) -> None:
    for leftover in store.rglob(".*.part"):
        leftover.unlink()


def _work(jobs: Sequence[Job], store: Path, workers: int | None, timeout: float) -> dict[str, StoredVideo]:
    """Prepare all `jobs`; each finished one is on the disk and in the journal before it counts."""
    rows = {}
    workers = min(workers or len(os.sched_getaffinity(0)), len(jobs))
    with (
        (store / JOURNAL).open("a") as journal,
        progress("prepare", len(jobs), "videos") as advance,
        _results(jobs, workers, timeout) as results,
    ):
        try:
            for row in results:
                rows[row.name] = row
                journal.write(json.dumps(asdict(row)) + "\n")
                journal.flush()
                advance()
        except OSError as error:
            raise UserError(
                f"the store {store} cannot be written: {error.strerror}; {len(rows)} videos are done and kept, "
                "run the same command again when that is mended"
            ) from error
    return rows


@contextmanager
def _results(jobs: Sequence[Job], workers: int, timeout: float) -> Iterator[Iterator[StoredVideo]]:
    """Rows as they are finished, by child processes that are killed at the time limit or when the block is left."""
    from concurrent.futures import Future, as_completed
    from multiprocessing import get_context

    from pebble import ProcessExpired, ProcessPool

    # A fresh interpreter a worker: forking a process that runs threads can hang, decoders worst of all.
    pool = ProcessPool(max_workers=workers, context=get_context("spawn"))
    futures: dict[Future[StoredVideo], Job] = {
        pool.schedule(prepare_video, args=(job,), timeout=timeout): job for job in jobs
    }

    def finished() -> Iterator[StoredVideo]:
        for future in as_completed(futures):
            try:
                yield future.result()
            except TimeoutError:
                yield futures[future].failed("timeout", f"not decoded within {timeout:g} s (prepare.timeout)")
            except ProcessExpired as error:
                yield futures[future].failed("undecodable", f"the decoder crashed (exit code {error.exitcode})")

    try:
        yield finished()
    finally:
        pool.stop()
        pool.join()
