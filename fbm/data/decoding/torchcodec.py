"""Frames by torchcodec, whose index of a file is made by reading all its packets."""

from pathlib import Path

import numpy as np

from fbm.data.decoding.pyav import open_container
from fbm.data.decoding.video import VideoError


def versions() -> str:
    """Its name and version, for the manifest."""
    import torchcodec

    return f"torchcodec {torchcodec.__version__}"


class TorchcodecFrames:
    """The frames of a file; see `IndexedFrames`."""

    def __init__(self, path: Path) -> None:
        from torchcodec.decoders import VideoDecoder

        with open_container(path) as (container, stream):
            number = stream.index  # torchcodec would take a preview picture
            if container.format.name == "avi" and stream.codec_context.has_b_frames:  # has no times of its own
                reason = "torchcodec misnumbers the frames of AVI files with B-frames; the decoder pyav reads it"
                raise VideoError("undecodable", reason)
        try:
            self._decoder = VideoDecoder(
                path,
                stream_index=number,
                dimension_order="NHWC",
                num_ffmpeg_threads=1,
                device="cpu",
                seek_mode="exact",
            )
        except (RuntimeError, ValueError, AssertionError) as error:
            reason = f"torchcodec cannot open it ({_line(error)}); the decoder pyav may"
            raise VideoError("undecodable", reason) from error

    def __len__(self) -> int:
        return len(self._decoder)

    def at(self, number: int) -> np.ndarray:
        """See `IndexedFrames.at`."""
        try:
            frame: np.ndarray = self._decoder[number].numpy()
        except (RuntimeError, IndexError) as error:
            raise VideoError("undecodable", f"torchcodec gives no frame {number + 1} ({_line(error)})") from error
        return frame


def _line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")
