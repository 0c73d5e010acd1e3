"""The same store, its frames kept in another way."""

from dataclasses import replace
from pathlib import Path

from fbm.data.decoding.decoders import open_reader
from fbm.data.decoding.video import VideoError
from fbm.data.store.frame_store import FrameStore
from fbm.data.store.kinds.files import Files
from fbm.data.store.kinds.kind import FrameKind
from fbm.data.store.manifest import MANIFEST, StoredVideo, frames_file, masks_file
from fbm.utils.files import write_text
from fbm.utils.progress import progress


def converted(store: FrameStore, kind: FrameKind, videos: dict[str, Path], root: Path) -> Path:
    """Write the usable videos of a store to `root`, and gives it; masks are links.

    Files that a decoder refuses are left out.

    Args:
        videos: the files of the videos by name.
    """
    rows = []
    with progress(kind.label, len(store.usable), "videos") as advance:
        for video in store.usable:
            if isinstance(kind, Files) and not _opens(kind, videos[video.name], store.manifest.size):
                advance()
                continue
            rows.append(_row(store, kind, video, videos[video.name], root))
            if store.manifest.masks != "none":
                link = masks_file(root, store.manifest.masks, video.name)
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(masks_file(store.root, store.manifest.masks, video.name).absolute())
            advance()
    manifest = replace(store.manifest, videos=rows, others=[], frames=kind.name, quality=kind.quality)
    if isinstance(kind, Files):
        manifest = replace(manifest, decoder=kind.decoder)
    write_text(root / MANIFEST, manifest.to_json())
    return root


def _opens(kind: Files, path: Path, size: int) -> bool:
    try:
        open_reader(path, kind.decoder, size).close()
    except VideoError:
        return False
    return True


def _row(store: FrameStore, kind: FrameKind, video: StoredVideo, path: Path, root: Path) -> StoredVideo:
    if not kind.stored:
        stat = path.stat()
        video = replace(video, source_bytes=stat.st_size, source_mtime_ns=stat.st_mtime_ns)
        return replace(video, path=str(path.absolute()), kept=kind.label)
    frames = store.frames(video.name, 0, video.frames)
    made = kind.write(frames_file(root, video.name), None, [frames], store.manifest.size)
    return replace(video, checksum=made.checksum, frames_bytes=made.frames_bytes, kept=kind.label)
