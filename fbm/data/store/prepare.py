"""`fbm prepare`: decode every video once into the frame store, in parallel, resuming where it was interrupted."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fbm.data.dataset import Video
from fbm.data.decoding.decoders import family
from fbm.data.masks.matching import match_masks
from fbm.data.masks.source import VideoMasks
from fbm.data.store.array import StoreArray, is_whole
from fbm.data.store.disk import check_disk
from fbm.data.store.journal import JOURNAL, journal, read_journals
from fbm.data.store.kinds.choose import kind_of
from fbm.data.store.manifest import MANIFEST, Manifest, StoredVideo, masks_file, read_manifest
from fbm.data.store.preparation import Preparation
from fbm.data.store.prepare_video import PrepareJob, empty_row, prepare_video, with_split
from fbm.data.store.settings import check_keeps_classes
from fbm.data.store.shards import journals, remove_shards
from fbm.utils.errors import UserError
from fbm.utils.files import checksum, exclusive_lock, remove_partial, write_text
from fbm.utils.process import CrashedError, in_processes
from fbm.utils.progress import progress, progress_lines

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


def prepare(given: Preparation, finished: Mapping[str, StoredVideo] | None = None) -> Prepared:
    """Update the store to the data set and the masks, doing only what is missing.

    Args:
        finished: the rows of videos that shards have just prepared, by name; they are not looked at again.

    Raises:
        UserError: the data set, the store or the disk is unsuitable. A broken video is noted in its row.
    """
    store, finished = given.store, finished or {}
    videos = given.source.videos()
    masks_by_name, notes = match_masks(videos, given.masks)
    with exclusive_lock(store, "the store"):
        remove_partial(store)
        known = known_rows(given)
        if not given.drop_classes:
            check_keeps_classes(store, videos)
        rows = {video.name: with_split(finished[video.name], video) for video in videos if video.name in finished}
        rest = [video for video in videos if video.name not in rows]
        planned, jobs = plan(given, rest, known, masks_by_name)
        rows |= planned
        if jobs:
            check_disk(given, jobs)
            try:
                rows |= work(given, jobs, store / JOURNAL)
            finally:
                remove_partial(store)  # left by interrupted workers; they may fill the disk
        others = [row for name, row in known.items() if name not in rows and row.checksum]
        placed_rows = [rows[video.name] for video in videos]
        manifest = Manifest(
            *(given.size, given.masks_name, given.source.selection(), placed_rows, others),
            settings=given.settings,
            frames=given.frames,
            quality=given.kind.quality,
            decoder=given.decoder,
        )
        _finish(store, manifest)
    return Prepared(manifest, len(jobs), notes)


def _finish(store: Path, manifest: Manifest) -> None:
    """Write the manifest, and only then remove the journals."""
    path, content = store / MANIFEST, manifest.to_json()
    try:
        if not path.is_file() or path.read_text() != content:
            write_text(path, content)
    except OSError as error:
        raise unwritable(store, error, "all videos") from error
    (store / JOURNAL).unlink(missing_ok=True)
    remove_shards(store)


def known_rows(given: Preparation) -> dict[str, StoredVideo]:
    """The rows of an earlier, perhaps interrupted, preparation.

    Raises:
        UserError: the store keeps other frames.
    """
    store, rows = given.store, dict[str, StoredVideo]()
    if (store / MANIFEST).is_file():
        manifest = read_manifest(store)
        if manifest.size != given.size:
            raise UserError(
                f"the store {store} holds frames of {manifest.size} pixels, data.size={given.size} needs others: "
                "choose another data.store"
            )
        if (found := kind_of(manifest).label) != given.kind.label:
            raise UserError(
                f"the store {store} keeps its frames as {found}, these settings as {given.kind.label} (data.frames, "
                "data.quality, data.decoder): choose another data.store, or its own settings"
            )
        if manifest.decoder != given.decoder:
            raise UserError(
                f"the store {store} holds frames decoded by {manifest.decoder}, not data.decoder={given.decoder}: "
                "choose another data.store"
            )
        rows = {video.name: video for video in (*manifest.others, *manifest.videos)}
    noted = read_journals([store / JOURNAL, *journals(store)])
    wanted = given.decoder, given.size
    return rows | {name: row for name, row in noted.items() if (family(row.decoder), row.size) == wanted}


def plan(
    given: Preparation,
    videos: Sequence[Video],
    known: Mapping[str, StoredVideo],
    masks_by_name: Mapping[str, VideoMasks | None],
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
        decoded = _still_decoded(given, video, known.get(video.name))
        job = given.job(video, masks_by_name.get(video.name), decoded)
        if decoded and decoded.ok and decoded.masks == job.masks_fingerprint and _has_masks(job):
            rows[video.name] = with_split(decoded, video)
        else:
            jobs.append(job)
    return rows, jobs


def _still_decoded(given: Preparation, video: Video, row: StoredVideo | None) -> StoredVideo | None:
    """The row of a video, if its stored frames are complete and still those of the file."""
    kind = given.kind
    # Another preparation that was not finished may have left its frames and a journal.
    if row is None or not row.checksum or row.kept != kind.label or row.segment != video.segment:
        return None
    if kind.stored and not is_whole(kind.file(given.store, given.size, row)):
        return None
    row = row if kind.stored else replace(row, path=str(video.path.absolute()))  # it may have moved
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
    return is_whole(StoreArray(path, (job.decoded.frames, job.size, -(-job.size // 8)), ""))


def time_limit(job: PrepareJob, timeout: float) -> float:
    """Seconds that a video may take, see `Preparation`."""
    return timeout * max(1, job.expected.decoded / TIMED)


def work(given: Preparation, jobs: Sequence[PrepareJob], path: Path, label: str = "") -> dict[str, StoredVideo]:
    """Prepare all `jobs`; each is written to the disk and the journal before it counts as done.

    Args:
        path: of the journal.
        label: of lines of progress in place of a bar, among other processes that write to the same store.
    """
    rows = {}
    tasks = [((job, limit), (job,), limit) for job in jobs for limit in [time_limit(job, given.timeout)]]
    try:
        with (
            journal(path) as append,
            (progress_lines if label else progress)(label or "prepare", len(jobs), "videos") as advance,
            in_processes(prepare_video, tasks, given.workers) as finished,
        ):
            for (job, limit), answer in finished:
                row = _row(job, answer, limit)
                append(row)
                rows[row.name] = row
                advance()
    except OSError as error:  # also from closing the journal
        raise unwritable(given.store, error, f"{len(rows)} videos") from error
    return rows


def unwritable(store: Path, error: OSError, done: str) -> UserError:
    """The error for a store that cannot be written, with what of it is `done`."""
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
