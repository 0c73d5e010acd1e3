"""Check a data set and its store, file by file, without changing anything."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fbm.data.dataset import Video, VideoDataset
from fbm.data.decoding.pyav import count_packets, opened, read_header
from fbm.data.decoding.video import EXCLUDED, VideoError
from fbm.data.masks.matching import match_masks
from fbm.data.masks.source import MaskSource, VideoMasks
from fbm.data.store.array import IntegrityError
from fbm.data.store.frame_store import files_of
from fbm.data.store.journal import JOURNAL
from fbm.data.store.manifest import Manifest, StoredVideo, read_manifest
from fbm.data.store.segments import check_inside, cut, frame_range
from fbm.data.store.shards import describe_unfinished
from fbm.utils.errors import UserError
from fbm.utils.files import TMP_SUFFIX
from fbm.utils.messages import first_names
from fbm.utils.progress import progress


@dataclass(frozen=True)
class CheckReport:
    """One line a problem, and a line on what was checked."""

    problems: list[str]
    summary: str


def check_data(source: VideoDataset | None, masks: MaskSource | None, store: Path) -> CheckReport:
    """Check every listed video, its annotation, and everything in the store.

    Args:
        source: None checks the store alone.
    """
    if source is None:
        videos, problems, checked = [], [], ""
    else:
        try:
            videos = source.videos()
        except UserError as error:
            return CheckReport([str(error)], "the data set cannot be checked further")
        problems = list(_data_problems(videos, masks))
        left_out = sum(_is_left_out(video) for video in videos)
        checked = f"{len(videos) - left_out} videos listed, "
        checked += f"{left_out} files left out, " if left_out else ""
        checked += f"{len(_unlisted(videos))} more files in their folders that no list names; "
    if not store.is_dir():
        return CheckReport(problems, f"{checked}no store at {store} yet")
    problems += _store_problems(store, videos)
    return CheckReport(problems, f"{checked}store {store} checked")


def _is_left_out(video: Video) -> bool:
    return video.fault is not None and video.fault.status in EXCLUDED


def _data_problems(videos: list[Video], masks: MaskSource | None) -> Iterator[str]:
    masks_by_name: dict[str, VideoMasks | None] = {}
    try:
        masks_by_name, _ = match_masks(videos, masks)
    except UserError as error:
        yield str(error)
    there = [video for video in videos if video.fault or video.path.is_file()]
    if len(there) < len(videos):
        known = {video.name for video in there}
        missing = [video for video in videos if video.name not in known]
        yield (
            f"missing: {len(missing)} of {len(videos)} listed videos are not there: "
            f"{first_names([video.name for video in missing])}; the first should be at {missing[0].path}"
        )
    with progress("data set", len(there), "videos") as advance:
        for video in there:
            yield from (f"{video.name}: {problem}" for problem in _video_problems(video, masks_by_name.get(video.name)))
            advance()


def _video_problems(video: Video, masks: VideoMasks | None) -> Iterator[str]:
    if video.fault:
        if not _is_left_out(video):
            yield f"{video.fault.status}: {video.fault.reason}"
        return
    try:
        header = read_header(video.path)
        packets = count_packets(video.path)
        wanted = frame_range(video, header)
        check_inside(wanted, video, header, max(header.frames, packets))
    except VideoError as error:
        yield f"{error.status}: {error.reason}"
        return
    # First by the header, whose numbers are hints, so that few videos need to be decoded.
    if masks and masks.validate(wanted.length(header.frames or packets), header.width, header.height):
        yield from _misfit(video, masks)


def _misfit(video: Video, masks: VideoMasks) -> Iterator[str]:
    """The fault of an annotation, by the decoded frames of its video."""
    try:
        with opened(video.path) as frames:
            count = sum(len(batch) for batch in cut(frames.decode(8), video, frames.header))
            header = frames.header
    except VideoError as error:
        yield f"{error.status}: {error.reason}"
        return
    if reason := masks.validate(count, header.width, header.height):
        yield f"bad_annotation: {reason}"


def _unlisted(videos: list[Video]) -> list[Path]:
    listed = {video.path for video in videos}
    folders = {video.path.parent for video in videos}
    return [
        path
        for folder in sorted(folders)
        if folder.is_dir()
        for path in folder.iterdir()
        if path not in listed and path.is_file()
    ]


def _store_problems(store: Path, listed: list[Video]) -> Iterator[str]:
    if (store / JOURNAL).exists():
        yield f"{store}: a preparation was interrupted; `fbm prepare` resumes it"
    if unfinished := describe_unfinished(store):
        yield f"{store}: {unfinished}"
    for leftover in sorted(store.rglob(f".*{TMP_SUFFIX}")):
        yield f"{leftover}: half-written and never used; `fbm prepare` removes it"
    try:
        manifest = read_manifest(store)
    except UserError as error:
        yield str(error)
        return
    rows = manifest.videos
    splits = {row.name: row.split for row in rows}
    outdated = sum(splits.get(video.name) != video.split for video in listed)
    if outdated:
        yield f"{store}: {outdated} of the listed videos are not in it or in another split; `fbm prepare` updates it"
    if missing := [row.name for row in rows if row.status == "missing"]:
        yield f"{store}: {len(missing)} videos were missing when it was prepared: {first_names(missing)}"
    with progress("store", len(rows), "videos") as advance:
        for row in rows:
            yield from (f"{row.name}: {problem}" for problem in _row_problems(store, manifest, row))
            advance()


def _row_problems(store: Path, manifest: Manifest, row: StoredVideo) -> Iterator[str]:
    if row.status in EXCLUDED or row.status == "missing":
        return
    if not row.ok:
        yield f"not usable, {row.status}: {row.reason}"
        return
    for file in files_of(store, manifest, row):
        try:
            file.check_all()
        except IntegrityError as error:
            yield f"{file.path} {error}: {error.remedy}"
