"""One shard of `fbm prepare` on several machines; the last one to finish writes the manifest."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from fbm.data.dataset import Video, VideoDataset
from fbm.data.masks.matching import match_masks
from fbm.data.store.disk import check_disk
from fbm.data.store.journal import JOURNAL
from fbm.data.store.manifest import StoredVideo
from fbm.data.store.preparation import Preparation
from fbm.data.store.prepare import Prepared, known_rows, plan, prepare, unwritable, work
from fbm.data.store.segments import expected
from fbm.data.store.settings import check_keeps_classes
from fbm.data.store.shards import ListedVideo, Shard, finished_rows, joined, unfinished, write_done
from fbm.utils.errors import InUseError
from fbm.utils.files import remove_partial
from fbm.utils.progress import progress


@dataclass(frozen=True)
class ShardResult:
    """What a shard did.

    Attributes:
        worked_on: number of videos that were prepared now.
        prepared: the whole preparation, if this shard finished it.
    """

    worked_on: int
    prepared: Prepared | None


@dataclass(frozen=True)
class _Listed(VideoDataset):
    """A data set whose videos are listed already."""

    source: VideoDataset
    listed: list[Video]

    def videos(self) -> list[Video]:
        return self.listed

    def selection(self) -> dict[str, Any]:
        return self.source.selection()


def prepare_shard(shard: Shard, given: Preparation) -> ShardResult:
    """Prepare the part of a shard.

    The store is then the same as after one `prepare`, byte for byte.

    Raises:
        UserError: as for `prepare`; also if this shard or a preparation without shards is running, or if other shards
            have other settings.
    """
    store, masks = given.store, given.masks

    def list_videos() -> list[ListedVideo]:
        listed = with_lengths(given.source.videos())
        videos = [video for video, _ in listed]
        match_masks(videos, masks)  # now, as it may refuse them
        if not given.drop_classes:
            check_keeps_classes(store, videos)
        known = known_rows(given)
        new = [video for video in videos if not video.fault and not _is_decoded(known.get(video.name))]
        if new:
            check_disk(given, [given.job(video, None, None) for video in new])
        return listed

    with joined(store, shard, list_videos) as listed:
        part = shard.part(listed)
        of = {store / folder / video.name for video in part for folder in ("frames", f"masks/{given.masks_name}")}
        remove_partial(store, of)
        own_masks = {video.name: masks.masks_for(video.name) for video in part if masks and not video.fault}
        rows, jobs = plan(given, part, known_rows(given), own_masks)
        print(f"{shard}: {len(part):,} of {len(listed):,} videos, {len(jobs):,} to prepare", flush=True)
        try:
            rows |= work(given, jobs, shard.folder(store) / JOURNAL, str(shard))
        finally:
            remove_partial(store, of)
        try:
            write_done(store, shard, [rows[video.name] for video in part])
        except OSError as error:
            raise unwritable(store, error, f"{len(part)} videos") from error
        # Still with the shared lock: nobody can have written the manifest and removed what the shards have noted.
        left = unfinished(store, shard.count)
        finished = {} if left else finished_rows(store, shard.count)
    _report(shard, rows, len(jobs), left)
    if left:
        return ShardResult(len(jobs), None)
    try:
        done = prepare(replace(given, source=_Listed(given.source, [video for video, _ in listed])), finished)
    except InUseError:  # by another that found all finished: it writes the manifest
        return ShardResult(len(jobs), None)
    return ShardResult(len(jobs), replace(done, worked_on=done.worked_on + len(jobs)))


def with_lengths(videos: list[Video]) -> list[ListedVideo]:
    """The videos with the number of frames to decode, which is also the one `expected` of whole files without one."""
    unknown = [
        number
        for number, video in enumerate(videos)
        if (video.expected is None or video.segment) and not video.fault and video.path.is_file()
    ]
    listed = [ListedVideo(video, video.expected or 0) for video in videos]
    if not unknown:
        return listed
    with progress("lengths", len(unknown), "videos") as advance, ThreadPoolExecutor() as threads:

        def length(number: int) -> None:
            video = videos[number]
            frames = expected(video).decoded
            listed[number] = ListedVideo(video if video.segment else replace(video, expected=frames), frames)
            advance()

        for _ in threads.map(length, unknown):  # raises their errors
            pass
    return listed


def _is_decoded(row: StoredVideo | None) -> bool:
    return row is not None and row.checksum != ""


def _report(shard: Shard, rows: Mapping[str, StoredVideo], worked_on: int, left: list[int]) -> None:
    broken = sum(not row.ok for row in rows.values())
    rest = f"not finished yet: {', '.join(map(str, left))}" if left else "all are finished"
    print(f"{shard}: finished, {worked_on:,} prepared now, {broken:,} not usable; {rest}", flush=True)
