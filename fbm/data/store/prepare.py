"""`fbm prepare`: decode every video once into the frame store, in parallel, resuming where it was interrupted."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rich.filesize import decimal

from fbm.data.dataset import Video, VideoDataset
from fbm.data.decoding.pyav import read_header
from fbm.data.decoding.video import VideoError
from fbm.data.masks.matching import match_masks
from fbm.data.masks.source import MaskSource, VideoMasks
from fbm.data.store.frame_store import (
    FORMAT,
    MANIFEST,
    Manifest,
    StoredVideo,
    frames_file,
    is_whole,
    masks_file,
    read_manifest,
)
from fbm.data.store.prepare_video import PrepareJob, empty_row, prepare_video, with_split
from fbm.data.store.settings import check_keeps_classes
from fbm.utils.errors import UserError
from fbm.utils.files import checksum, exclusive_lock, remove_partial, write_text
from fbm.utils.process import CrashedError, in_processes
from fbm.utils.progress import progress

# The finished videos of an unfinished preparation, by format, since checksums differ between formats.
JOURNAL = f"journal-{FORMAT}.jsonl"
TIMED = 1000  # frames of a file that may take the time limit


@dataclass(frozen=True)
class Prepared:
    """The result of a preparation.

    Attributes:
        worked_on: number of videos that were prepared now.
        left_over: a line for the videos without masks, and one for the masks without a video.
    """

    manifest: Manifest
    worked_on: int
    left_over: list[str]


def prepare(
    source: VideoDataset,
    masks: MaskSource | None,
    masks_name: str,
    store: Path,
    size: int,
    workers: int | None,
    timeout: float,
    settings: dict[str, Any] | None = None,
    drop_classes: bool = False,
) -> Prepared:
    """Update the store to `source` and `masks`, doing only what is missing.

    Args:
        masks: None stores no masks (`masks_name` is then "none").
        size: of the stored frames, pixels.
        workers: child processes; None takes one a core.
        timeout: seconds that a file of up to `TIMED` frames may take, longer ones in proportion.
        settings: see `Manifest`.
        drop_classes: allow classes of the store to be removed that `source` does not have.

    Raises:
        UserError: the data set, the store or the disk is unsuitable. A broken video is noted in its row.
    """
    videos = source.videos()
    masks_by_name, notes = match_masks(videos, masks)
    with exclusive_lock(store, "the store"):
        remove_partial(store)
        known = _known(store, size)
        if not drop_classes:
            check_keeps_classes(store, videos)
        rows, jobs = _plan(videos, known, masks_by_name, masks_name, store, size)
        if jobs:
            _check_disk(jobs, store, size)
            rows |= _work(jobs, store, workers, timeout)
        others = [row for name, row in known.items() if name not in rows and row.checksum]
        placed_rows = [rows[video.name] for video in videos]
        manifest = Manifest(size, masks_name, source.selection(), placed_rows, others, settings=settings or {})
        _finish(store, manifest)
    return Prepared(manifest, len(jobs), notes)


def _finish(store: Path, manifest: Manifest) -> None:
    """Write the manifest, and only then remove the journal."""
    path, content = store / MANIFEST, manifest.to_json()
    try:
        if not path.is_file() or path.read_text() != content:
            write_text(path, content)
    except OSError as error:
        raise _unwritable(store, error, "all videos") from error
    (store / JOURNAL).unlink(missing_ok=True)


def _known(store: Path, size: int) -> dict[str, StoredVideo]:
    """The rows of an earlier, perhaps interrupted, preparation."""
    rows: dict[str, StoredVideo] = {}
    if (store / MANIFEST).is_file():
        manifest = read_manifest(store)
        if manifest.size != size:
            raise UserError(
                f"the store {store} holds frames of {manifest.size} pixels, data.size={size} needs others: "
                "choose another data.store"
            )
        rows = {video.name: video for video in (*manifest.others, *manifest.videos)}
    if (store / JOURNAL).is_file():
        for line in (store / JOURNAL).read_text().splitlines():
            try:
                row = StoredVideo(**json.loads(line))
            except (ValueError, TypeError):
                continue  # a line that was cut by a kill
            rows[row.name] = row
    return rows


def _plan(
    videos: Sequence[Video],
    known: dict[str, StoredVideo],
    masks_by_name: Mapping[str, VideoMasks | None],
    masks_name: str,
    store: Path,
    size: int,
) -> tuple[dict[str, StoredVideo], list[PrepareJob]]:
    """The rows of videos that are up to date, and the jobs for the others."""
    rows, jobs = {}, []
    for video in videos:
        if video.fault:
            rows[video.name] = empty_row(video, *video.fault)
            continue
        if not video.path.is_file():
            rows[video.name] = empty_row(video, "missing", f"listed in the split files but not there: {video.path}")
            continue
        track = masks_by_name.get(video.name)
        decoded = _still_decoded(video, known.get(video.name), store, size)
        job = PrepareJob(video, store, size, masks_name, track, decoded)
        if decoded and decoded.ok and decoded.masks == job.masks_fingerprint and _has_masks(job):
            rows[video.name] = with_split(decoded, video)
        else:
            jobs.append(job)
    return rows, jobs


def _still_decoded(video: Video, row: StoredVideo | None, store: Path, size: int) -> StoredVideo | None:
    """The row of a video, if its stored frames are complete and still those of the file."""
    # The exact size: a preparation with another data.size may have left its frames and a journal.
    if row is None or not row.checksum or not is_whole(frames_file(store, video.name), row.frames, size, size, 3):
        return None
    stat = video.path.stat()
    if (stat.st_size, stat.st_mtime_ns) == (row.source_bytes, row.source_mtime_ns):
        return row
    # A copied data set has new times and the same content.
    same = stat.st_size == row.source_bytes and checksum(video.path) == row.source_checksum
    return replace(row, source_mtime_ns=stat.st_mtime_ns) if same else None


def _has_masks(job: PrepareJob) -> bool:
    if job.masks_name == "none" or job.decoded is None:
        return job.masks_name == "none"
    path = masks_file(job.store, job.masks_name, job.video.name)
    return is_whole(path, job.decoded.frames, job.size, -(-job.size // 8))


def _check_disk(jobs: Sequence[PrepareJob], store: Path, size: int) -> None:
    """Print how much disk the frames will need; UserError if there is less."""
    frames = sum(expected_frames(job) for job in jobs if job.decoded is None)
    need = frames * size * size * 3 + frames * size * size // 8
    free = shutil.disk_usage(store).free
    sizes = f"{frames:,} frames need {decimal(need)}, {decimal(free)} are free"
    print(f"{len(jobs)} videos to prepare: {sizes} at {store}")
    if need > free:
        raise UserError(f"not enough disk for {store}: {sizes}; free some or choose another data.store")


def expected_frames(job: PrepareJob) -> int:
    """The number of frames of a video, as far as it is known before decoding, else 0."""
    if job.decoded is not None:
        return job.decoded.frames
    try:
        return read_header(job.video.path).frames if job.video.expected is None else job.video.expected
    except VideoError:
        return 0  # reported when it is decoded


def time_limit(job: PrepareJob, timeout: float) -> float:
    """Seconds that a video may take, see `prepare`."""
    return timeout * max(1, expected_frames(job) / TIMED)


def _work(jobs: Sequence[PrepareJob], store: Path, workers: int | None, timeout: float) -> dict[str, StoredVideo]:
    """Prepare all `jobs`; each is written to the disk and the journal before it counts as done."""
    rows = {}
    tasks = [((job, limit), (job,), limit) for job in jobs for limit in [time_limit(job, timeout)]]
    try:
        with (
            (store / JOURNAL).open("a") as journal,
            progress("prepare", len(jobs), "videos") as advance,
            in_processes(prepare_video, tasks, workers) as finished,
        ):
            for (job, limit), answer in finished:
                row = _row(job, answer, limit)
                journal.write(json.dumps(asdict(row)) + "\n")
                journal.flush()
                rows[row.name] = row
                advance()
    except OSError as error:  # also from closing the journal
        raise _unwritable(store, error, f"{len(rows)} videos") from error
    finally:
        remove_partial(store)  # left by interrupted workers; they may fill the disk
    return rows


def _unwritable(store: Path, error: OSError, done: str) -> UserError:
    return UserError(
        f"the store {store} cannot be written: {error.strerror}; {done} are done and kept, "
        "run the same command again when that is fixed"
    )


def _row(job: PrepareJob, answer: Callable[[], StoredVideo], limit: float) -> StoredVideo:
    """The row from a child process, or of its failure."""
    try:
        return answer()
    except TimeoutError:
        return empty_row(job.video, "timeout", f"not prepared within {limit:.4g} s (see prepare.timeout)")
    except CrashedError as error:
        return empty_row(job.video, "undecodable", f"the decoder crashed ({error})")
