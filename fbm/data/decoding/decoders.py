"""The choice of a decoder: PyAV, decord or torchcodec."""

import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from fbm.data.decoding import pyav
from fbm.data.decoding.video import DECODERS, Decoder, FrameReader, OpenedVideo
from fbm.utils.errors import UserError
from fbm.utils.suggest import did_you_mean

if TYPE_CHECKING:
    from fbm.data.decoding.indexed import IndexedFrames


def check_decoder(decoder: str) -> None:
    """Check that it is one, and can be used here.

    Raises:
        UserError: it is unknown, or not installed.
    """
    if decoder not in DECODERS:
        raise UserError(
            f"the decoder {decoder!r} is not one of {', '.join(DECODERS)}{did_you_mean(str(decoder), DECODERS)}"
        )
    if decoder == "pyav":
        return
    if find_spec(decoder) is None:
        here = (sys.platform, platform.machine()) == ("linux", "x86_64")
        packages = {"decord": "decord" if here else "decord2", "torchcodec": "torchcodec"}
        raise UserError(f"the decoder {decoder} is not installed: pip install {packages[decoder]}")
    try:
        if decoder == "decord":
            import decord  # noqa: F401 (whether it loads)
        else:
            import torchcodec  # noqa: F401 (whether it loads)
    except (OSError, RuntimeError, ImportError) as error:
        needs = "FFmpeg's libraries (apt-get install ffmpeg) and a version that fits torch's"
        reason = f"it needs {needs}" if decoder == "torchcodec" else str(error)
        raise UserError(f"the decoder {decoder} cannot be loaded: {reason}") from error


def versions(decoder: Decoder) -> str:
    """The libraries with versions that make its frames, for the manifest."""
    import av
    import cv2

    if decoder == "decord":
        from fbm.data.decoding.decord import versions as own
    elif decoder == "torchcodec":
        from fbm.data.decoding.torchcodec import versions as own
    else:
        return f"PyAV {av.__version__}, OpenCV {cv2.__version__}"
    return f"{own()}, OpenCV {cv2.__version__}, PyAV {av.__version__}"


def family(versions: str) -> str:
    """The decoder that `versions` names; PyAV where a row of an earlier fbm names none."""
    return versions.partition(" ")[0].casefold() or "pyav"


@contextmanager
def open_video(path: Path, decoder: Decoder) -> Iterator[OpenedVideo]:
    """Open a file once for its header and its frames.

    Raises:
        VideoError: missing, empty, or not a video, or one that only PyAV opens.
    """
    with pyav.opened(path) as video:
        if decoder == "pyav":
            yield video
            return
        from fbm.data.decoding.checked import CheckedVideo

        yield CheckedVideo(decoder, _frames(path, decoder), video)


def open_reader(path: Path, decoder: Decoder, size: int) -> FrameReader:
    """Open a file for reading anywhere in it, in the process that reads.

    Only a file that `open_video` decodes to its end with the same decoder is numbered alike: prepare it first.

    Raises:
        VideoError: as for `open_video`.
    """
    if decoder == "pyav":
        from fbm.data.decoding.pyav_reader import PyAVReader

        return PyAVReader(path, size)
    from fbm.data.decoding.indexed import IndexedReader

    pyav.read_header(path)  # its faults have names
    return IndexedReader(_frames(path, decoder), size)


def _frames(path: Path, decoder: Decoder) -> "IndexedFrames":
    if decoder == "decord":
        from fbm.data.decoding.decord import DecordFrames

        return DecordFrames(path)
    from fbm.data.decoding.torchcodec import TorchcodecFrames

    return TorchcodecFrames(path)
