"""Prepare one video, in a child process of `fbm prepare`."""

import os
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from fbm.data.dataset import Video
from fbm.data.decoding.decoders import open_video, versions
from fbm.data.decoding.video import Decoder, Status, VideoError
from fbm.data.masks.source import DecodedVideo, MaskError, VideoMasks
from fbm.data.store.array import IntegrityError, StoreArray, checksum_of
from fbm.data.store.kinds.kind import FrameKind
from fbm.data.store.kinds.raw import RAW
from fbm.data.store.manifest import StoredVideo, frames_file, masks_file
from fbm.data.store.segments import ExpectedFrames, cut, expected, frame_range
from fbm.utils.files import TMP_SUFFIX, atomic_write, checksum


@dataclass(frozen=True)
class PrepareJob:
    """One video to store; `decoded` is its row if the frames are stored already and only masks are missing."""

    video: Video
    store: Path
    size: int
    masks_name: str
    video_masks: VideoMasks | None
    decoded: StoredVideo | None
    kind: FrameKind = RAW
    decoder: Decoder = "pyav"

    @cached_property  # it may have to be read from the file
    def expected(self) -> ExpectedFrames:
        """Its frames, as far as their number is known before."""
        if self.decoded is not None:
            return ExpectedFrames(self.decoded.frames, self.decoded.frames)
        return expected(self.video)

    @property
    def masks_fingerprint(self) -> str:
        """The value of `masks` in the row: the source and the fingerprint of this video's masks."""
        return f"{self.masks_name}:{self.video_masks.fingerprint if self.video_masks else 'empty'}"


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
    # In the store, where the next preparation removes those of killed processes; process ids are of one machine only.
    masks = masks_file(job.store, job.masks_name, job.video.name)
    scratch = masks.with_name(f".{masks.stem}.frames.{os.getpid()}{TMP_SUFFIX}")
    try:
        if job.masks_name != "none":
            scratch.parent.mkdir(parents=True, exist_ok=True)
        row = job.decoded or _store_frames(job, scratch if job.masks_name != "none" else None)
        return _store_masks(job, row, scratch)
    except VideoError as error:
        return empty_row(job.video, error.status, error.reason)
    finally:
        scratch.unlink(missing_ok=True)


def _store_frames(job: PrepareJob, scratch: Path | None) -> StoredVideo:
    path = job.video.path
    with open_video(path, job.decoder) as video:
        place = frames_file(job.store, job.video.name)
        frames = cut(video.decode(job.size), job.video, video.header)
        written = job.kind.write(place, scratch, frames, job.size)
        header = video.header  # now of upright frames
    stat = path.stat()
    return replace(
        empty_row(job.video, "ok"),
        frames=written.frames,
        size=job.size,
        first_frame=frame_range(job.video, header).first,
        segment=job.video.segment,
        width=header.width,
        height=header.height,
        fps=round(header.fps, 3),
        source_bytes=stat.st_size,
        source_mtime_ns=stat.st_mtime_ns,
        source_checksum=checksum(path),
        checksum=written.checksum,
        decoder=versions(job.decoder),
        kept=job.kind.label,
        frames_bytes=written.frames_bytes,
        path="" if job.kind.stored else str(path.absolute()),
    )


def _store_masks(job: PrepareJob, row: StoredVideo, scratch: Path) -> StoredVideo:
    row = replace(with_split(row, job.video), status="ok", reason="")
    row = replace(row, masks=job.masks_fingerprint, masked_frames=0, masks_checksum="", mask_confidence=1.0)
    if job.masks_name == "none":
        return row
    frames = _all_frames(job, row, scratch)
    try:
        video = DecodedVideo(job.video.name, frames, row.width, row.height)
        masks, sure = job.video_masks.rated(video) if job.video_masks else (np.zeros(frames.shape[:3], bool), 0.0)
        unused = job.video_masks.unused(len(frames), row.width, row.height) if job.video_masks else ""
    except MaskError as error:
        return replace(row, status="bad_annotation", reason=str(error))
    packed = np.packbits(masks, axis=-1)
    with atomic_write(masks_file(job.store, job.masks_name, job.video.name)) as file:
        np.save(file, packed)
    masked = int(masks.any((1, 2)).sum())
    found = replace(row, masked_frames=masked, masks_checksum=checksum_of(packed), reason=unused)
    return replace(found, mask_confidence=round(sure, 3))


def _all_frames(job: PrepareJob, row: StoredVideo, scratch: Path) -> np.ndarray:
    """The frames as training reads them, `T size size 3`, mapped; compressed ones are decoded into `scratch`."""
    if scratch.is_file():  # just written
        written: np.ndarray = np.load(scratch, mmap_mode="r")
        return written
    file = job.kind.file(job.store, job.size, row)
    shape = (row.frames, job.size, job.size, 3)
    try:
        # Not `opened`, which would import torch.
        opened = np.load(file.path, mmap_mode="r") if isinstance(file, StoreArray) else file.opened()
        if isinstance(opened, np.ndarray) and opened.shape == shape:
            return opened
        frames = np.lib.format.open_memmap(scratch, "w+", np.uint8, shape)
        file.fill(opened, 0, frames)
    except IntegrityError as error:
        raise VideoError("undecodable", str(error)) from error
    return frames
