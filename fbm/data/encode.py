"""Writing videos and lists as UCF-101 has them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import av
import numpy as np


def write_video(
    path: Path, frames: np.ndarray, rate: int, container: str, codec: str, options: dict[str, str], **settings: Any
) -> None:
    """Encode frames, uint8 `T H W 3`; without library versions in the file, so that it has the same bytes anywhere.

    Args:
        rate: frames per second.
        container, codec, options: FFmpeg's names; of the encoder's options and their values.
        settings: attributes of the encoder's context.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format=container, options={"fflags": "bitexact"}) as file:
        stream: Any = file.add_stream(codec, rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], "yuv420p"
        for name, value in settings.items():
            setattr(stream.codec_context, name, value)
        for frame in frames:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        file.mux(stream.encode())


def write_list(path: Path, lines: Iterable[str]) -> None:
    """Write one of UCF-101's lists, with the CRLF line ends of the official ones."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\r\n" for line in lines), encoding="ascii", newline="")
