"""Prepare one video, in a child process of `fbm prepare`."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import numpy as np
import xxhash

from fbm.data.dataset import Video
from fbm.data.decoding.pyav import decoder, opened
from fbm.data.decoding.video import Status, VideoError
from fbm.data.masks.source import DecodedVideo, MaskError, VideoMasks
from fbm.data.store.array import checksum_of
from fbm.data.store.frame_store import StoredVideo, frames_file, masks_file
from fbm.utils.files import atomic_write, checksum


@dataclass(frozen=True)
class PrepareJob:
    """One video to store; `decoded` is its row if the frames are stored already and only masks are missing."""

    video: Video
    store: Path
    size: int
    masks_name: str
    track: VideoMasks | None
    decoded: StoredVideo | None

    @property
    def masks_fingerprint(self) -> str:
        """The value of `masks` in the row: the source and the fingerprint of this video's masks."""
        return f"{self.masks_name}:{self.track.fingerprint if self.track else 'empty'}"


def empty_row(video: Video, status: Status, reason: str = "") -> StoredVideo:
    """The row of a video without stored files."""
    return StoredVideo(video.name, video.action, video.group, video.split, status, reason)


def with_split(row: StoredVideo, video: Video) -> StoredVideo:
    """The row of a stored video, with its present class, group and split."""
    return replace(row, action=video.action, group=video.group, split=video.split)


def prepare_video(job: PrepareJob) -> StoredVideo:
    """Decode and store one video's frames and masks; returns its row, with the fault of a broken video.

    Raises:
        OSError: the store cannot be written.
    """
    try:
        row = job.decoded or _store_frames(job)
        return _store_masks(job, row)
    except VideoError as error:
        return empty_row(job.video, error.status, error.reason)


def _store_frames(job: PrepareJob) -> StoredVideo:
    path = job.video.path
    digest = xxhash.xxh3_128()
    count = 0
    with opened(path) as video, atomic_write(frames_file(job.store, job.video.name)) as file:
        _write_header(file, (video.header.frames, job.size, job.size, 3))
        for batch in video.decode(job.size):
            file.write(batch.data)
            digest.update(batch.data)
            count += len(batch)
        header = video.header  # now of upright frames
        file.seek(0)  # the container's count is only a hint
        _write_header(file, (count, job.size, job.size, 3))
    stat = path.stat()
    return replace(
        empty_row(job.video, "ok"),
        frames=count,
        width=header.width,
        height=header.height,
        fps=round(header.fps, 3),
        source_bytes=stat.st_size,
        source_mtime_ns=stat.st_mtime_ns,
        source_checksum=checksum(path),
        checksum=digest.hexdigest(),
        decoder=decoder(),
    )


def _write_header(file: IO[bytes], shape: tuple[int, ...]) -> None:
    """Begin a uint8 `.npy` file. numpy keeps room for a longer first axis, so it can be written again in place."""
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})


def _store_masks(job: PrepareJob, row: StoredVideo) -> StoredVideo:
    row = replace(with_split(row, job.video), status="ok", reason="")
    row = replace(row, masks=job.masks_fingerprint, masked_frames=0, masks_checksum="")
    if job.masks_name == "none":
        return row
    frames = np.load(frames_file(job.store, job.video.name), mmap_mode="r")
    try:
        video = DecodedVideo(job.video.name, frames, row.width, row.height)
        masks = job.track.compute(video) if job.track else np.zeros(frames.shape[:3], bool)
        unused = job.track.unused(len(frames), row.width, row.height) if job.track else ""
    except MaskError as error:
        return replace(row, status="bad_annotation", reason=str(error))
    packed = np.packbits(masks, axis=-1)
    with atomic_write(masks_file(job.store, job.masks_name, job.video.name)) as file:
        np.save(file, packed)
    masked = int(masks.any((1, 2)).sum())
    return replace(row, masked_frames=masked, masks_checksum=checksum_of(packed), reason=unused)
