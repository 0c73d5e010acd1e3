"""How much disk a preparation will need, said before it begins."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from rich.filesize import decimal

from fbm.data.store.kinds.encoded import Encoded
from fbm.data.store.kinds.kind import FrameKind
from fbm.data.store.kinds.raw import RAW
from fbm.data.store.prepare_video import PrepareJob
from fbm.data.store.segments import expected
from fbm.utils.errors import UserError


def check_disk(jobs: Sequence[PrepareJob], store: Path, size: int, workers: int | None) -> None:
    """Print how much disk the frames will need; UserError if there is less."""
    lengths = [expected_frames(job) for job in jobs if job.decoded is None]
    frames, kind = sum(lengths), jobs[0].kind
    need = kind.bytes_for(frames, size) + frames * size * size // 8
    if kind is not RAW:  # for the masks, the frames of a video a worker lie there uncompressed
        parallel = workers or len(os.sched_getaffinity(0))
        need += RAW.bytes_for(sum(sorted(lengths)[-parallel:]), size) if jobs[0].masks_name != "none" else 0
    free = shutil.disk_usage(store).free
    sizes = f"{frames:,} frames need {decimal(need)}, {decimal(free)} are free"
    print(f"{len(jobs)} videos to prepare: {sizes} at {store}")
    if frames:
        print(f"data.frames={kind.name}; of the frames {_compared(frames, size, kind)}")
    if need > free:
        raise UserError(f"not enough disk for {store}: {sizes}; free some or choose another data.store")


def expected_frames(job: PrepareJob) -> int:
    """The number of frames of a video, as far as it is known before decoding, else 0."""
    return job.decoded.frames if job.decoded is not None else expected(job.video)[0]


def _compared(frames: int, size: int, kind: FrameKind) -> str:
    """What so many frames take as this kind and as others."""
    others = [other for other in (RAW, Encoded("jpeg"), Encoded("webp")) if other.name != kind.name]
    sizes = [(one.label, _bytes(one, frames, size)) for one in (kind, *others)]
    return ", ".join(f"{label} is {size}" for label, size in sizes)


def _bytes(kind: FrameKind, frames: int, size: int) -> str:
    if not kind.stored:
        return "nothing in the store"
    return ("" if kind is RAW else "about ") + decimal(kind.bytes_for(frames, size))
