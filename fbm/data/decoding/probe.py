"""Recognise videos by content: file names may be wrong, and FFmpeg also opens pictures and texts."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

from fbm.data.decoding.pyav import metadata_errors, video_stream
from fbm.data.decoding.video import VideoError
from fbm.utils.progress import progress

HEAD = 12  # bytes that identify a container
MATROSKA = b"\x1aE\xdf\xa3"  # WebM, too
SEGMENT = b"\x18\x53\x80\x67"  # all of it behind its header
# Offset and magic bytes: a file with them that cannot be opened is a broken video.
CONTAINERS = (
    (0, MATROSKA),
    (0, b"FLV"),
    (0, b"\x30\x26\xb2\x75"),  # ASF
    (0, b"\0\0\1\xba"),  # MPEG
    (0, b"\0\0\1\xb3"),
    (4, b"ftyp"),
    (4, b"moov"),
    (4, b"mdat"),
    (8, b"AVI "),
)
TEXTS = ("tty", "concat", "hls", "dash", "sdp")  # FFmpeg's formats for texts, and for lists of other files
PICTURES = ("image2", "gif", "ico", "fits")  # and formats that end in _pipe


def probe_videos(paths: Sequence[Path]) -> list[int | VideoError]:
    """`probe_video` for many files; returns its error for files that are rejected."""
    with progress("files", len(paths), "files") as advance, ThreadPoolExecutor() as threads:

        def probe(path: Path) -> int | VideoError:
            try:
                return probe_video(path)
            except VideoError as error:
                return error
            finally:
                advance()

        return list(threads.map(probe, paths))


def probe_video(path: Path) -> int:
    """The number of frames that a video should have, from its header or its duration; 0 if unknown.

    Raises:
        VideoError: it is not a video (`not_a_video`), or one that cannot be opened.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
            if head.startswith(MATROSKA):
                file.seek(0)
                _check_cut(file, path.stat().st_size)
    except OSError as error:
        raise VideoError("undecodable", f"cannot be read: {error.strerror}") from error
    if not head:
        raise VideoError("not_a_video", "the file is empty (0 bytes)")
    return _expected(path, any(head[place:].startswith(start) for place, start in CONTAINERS))


def _check_cut(file: IO[bytes], size: int) -> None:
    """Check that a Matroska file is not truncated, of which FFmpeg decodes the remaining frames without an error.

    Raises:
        VideoError: it should have more bytes than `size`.
    """
    for part in (MATROSKA, SEGMENT):
        named, length = file.read(len(part)), _length(file)
        if named != part or length is None:  # unknown layout, or recorded live
            return
        end = file.tell() + length
        file.seek(end)
    if size < end:
        raise VideoError("short", f"the file is cut: {size:,} of the {end:,} bytes it promises are there")


def _length(file: IO[bytes]) -> int | None:
    """A variable-length number of Matroska: leading zero bits give its number of bytes; None if all ones (unknown)."""
    first = int.from_bytes(file.read(1))
    more = 8 - first.bit_length()
    value = (first & (0xFF >> (more + 1))) << 8 * more | int.from_bytes(file.read(more))
    return None if value == (1 << 7 * (more + 1)) - 1 else value


def _expected(path: Path, contained: bool) -> int:
    import av

    try:
        # A text may contain an address, which must not be opened.
        options = {"protocol_whitelist": "file"}
        with av.open(path, options=options, **metadata_errors(av.__version__)) as container:
            kind = container.format.name
            if kind in TEXTS:
                raise VideoError("not_a_video", f"a text ({kind})")
            stream = video_stream(container)
            if stream is None:
                raise VideoError("not_a_video", "the file holds no video stream")
            if kind in PICTURES or kind.endswith("_pipe") or stream.frames == 1:
                raise VideoError("not_a_video", f"a picture ({kind})")
            if stream.codec_context is None or not stream.width:
                reason = "its video stream is of a kind that FFmpeg does not know"
                raise VideoError("undecodable" if contained else "not_a_video", reason)
            if stream.disposition & av.stream.Disposition.attached_pic:
                raise VideoError("not_a_video", "sound with a picture on its cover")
            # MPEG has no duration, and FFmpeg's estimate can be days.
            seconds = 0 if kind.startswith("mpeg") else (container.duration or 0) / av.time_base
            return stream.frames or round(seconds * (stream.average_rate or 0))
    except av.FFmpegError as error:
        if contained:
            raise VideoError("undecodable", f"cannot be opened: {error.strerror}") from error
        raise VideoError("not_a_video", f"nothing that FFmpeg knows: {error.strerror}") from error
