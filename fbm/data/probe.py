"""Is a file a video? By its content: names lie, and FFmpeg opens pictures and texts, too."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

from fbm.data.decode import VideoError, video_stream
from fbm.utils.progress import progress

HEAD = 12  # bytes that tell a container
MATROSKA = b"\x1aE\xdf\xa3"  # WebM, too
SEGMENT = b"\x18\x53\x80\x67"  # all of it behind its header
# Where in the head, and what: a file that begins like this and cannot be opened is a broken video.
CONTAINERS = (
    *((0, start) for start in (MATROSKA, b"FLV", b"\x30\x26\xb2\x75", b"\0\0\1\xba", b"\0\0\1\xb3")),
    *((4, box) for box in (b"ftyp", b"moov", b"mdat")),
    (8, b"AVI "),
)
TEXTS = ("tty", "concat", "hls", "dash", "sdp")  # FFmpeg's names: shown letter by letter, or naming other files
PICTURES = ("image2", "gif", "ico", "fits")  # and those with the ending _pipe


def probe_videos(paths: Sequence[Path]) -> list[int | VideoError]:
    """What `look` says of each of many files, or why it refuses it."""
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
    """How many frames a video should have, from its container's promise or its duration; 0 where it says neither.

    Raises:
        VideoError: it is no video (`not_a_video`), or one that cannot be opened.
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
    """A Matroska file says how long it is; of one that is cut FFmpeg gives the frames that are there, and no error.

    Raises:
        VideoError: it should have more bytes than `size`.
    """
    for part in (MATROSKA, SEGMENT):
        named, length = file.read(len(part)), _length(file)
        if named != part or length is None:  # of another form; recorded live
            return
        end = file.tell() + length
        file.seek(end)
    if size < end:
        raise VideoError("short", f"the file is cut: {size:,} of the {end:,} bytes it promises are there")


def _length(file: IO[bytes]) -> int | None:
    """Matroska's way to write a number: so many zero bits, a one, and that number of bytes; all ones are unknown."""
    first = int.from_bytes(file.read(1))
    more = 8 - first.bit_length()
    value = (first & (0xFF >> (more + 1))) << 8 * more | int.from_bytes(file.read(more))
    return None if value == (1 << 7 * (more + 1)) - 1 else value


def _expected(path: Path, contained: bool) -> int:
    import av

    try:
        # A text may name an address; looking at a file must not go there.
        options = {"protocol_whitelist": "file"}
        with av.open(path, metadata_errors="replace", options=options) as container:
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
            # MPEG says none, and what FFmpeg makes of its times can be days.
            seconds = 0 if kind.startswith("mpeg") else (container.duration or 0) / av.time_base
            return stream.frames or round(seconds * (stream.average_rate or 0))
    except av.FFmpegError as error:
        if contained:
            raise VideoError("undecodable", f"cannot be opened: {error.strerror}") from error
        raise VideoError("not_a_video", f"nothing that FFmpeg knows: {error.strerror}") from error
