"""How much disk a preparation will need, said before it begins."""

import os
import shutil
from collections.abc import Sequence

from rich.filesize import decimal

from fbm.data.store.kinds.encoded import Encoded
from fbm.data.store.kinds.kind import FrameKind
from fbm.data.store.kinds.raw import RAW
from fbm.data.store.preparation import Preparation
from fbm.data.store.prepare_video import PrepareJob
from fbm.utils.errors import UserError


def check_disk(given: Preparation, jobs: Sequence[PrepareJob]) -> None:
    """Print how much disk the frames will need; UserError if there is less."""
    store, size, kind = given.store, given.size, given.kind
    lengths = [job.expected.stored for job in jobs if job.decoded is None]
    frames = sum(lengths)
    need = kind.bytes_for(frames, size) + frames * size * size // 8
    if kind is not RAW:  # for the masks, the frames of a video a worker lie there uncompressed
        parallel = given.workers or len(os.sched_getaffinity(0))
        need += RAW.bytes_for(sum(sorted(lengths)[-parallel:]), size) if given.masks_name != "none" else 0
    free = shutil.disk_usage(store).free
    sizes = f"{frames:,} frames need {decimal(need)}, {decimal(free)} are free"
    print(f"{len(jobs)} videos to prepare: {sizes} at {store}")
    if frames:
        print(f"data.frames={kind.name}; of the frames {_compared(frames, size, kind)}")
    if need > free:
        raise UserError(f"not enough disk for {store}: {sizes}; free some or choose another data.store")


def _compared(frames: int, size: int, kind: FrameKind) -> str:
    """What so many frames take as this kind and as others."""
    others = [other for other in (RAW, Encoded("jpeg"), Encoded("webp")) if other.name != kind.name]
    sizes = [(one.label, _bytes(one, frames, size)) for one in (kind, *others)]
    return ", ".join(f"{label} is {size}" for label, size in sizes)


def _bytes(kind: FrameKind, frames: int, size: int) -> str:
    if not kind.stored:
        return "nothing in the store"
    return ("" if kind is RAW else "about ") + decimal(kind.bytes_for(frames, size))
