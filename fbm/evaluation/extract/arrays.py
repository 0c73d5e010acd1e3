"""Frames that a program has already, as an encoder takes them; what `fbm extract` does to files."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fbm.data.decoding.resize import resized
from fbm.evaluation.extract.windows import SlidingWindow
from fbm.models.encoder import Encoder
from fbm.models.layers import to_input
from fbm.utils.errors import UserError

LIMIT = 1.01  # of a clip's values: 1, and the rounding of half precision
HELP = "fbm.to_clips makes clips of uint8 frames T H W 3"


def to_clips(video: Any, encoder: Encoder, stride: int | None) -> Tensor:
    """See `fbm.to_clips`."""
    frames = frames_of(video)
    length = encoder.span
    if stride is not None and stride < 1:
        raise UserError(f"stride={stride}: it should be a whole number of frames, at least 1")
    if len(frames) < length:
        raise UserError(f"the video has {len(frames)} frames, and a clip has {length}")
    windows = SlidingWindow(length, stride or length).feed(resized(frames, encoder.frame_size))
    clips = torch.from_numpy(np.stack([clip[:: encoder.frame_interval] for _, clip in windows]))
    return to_input(clips.to(next(encoder.parameters()).device), encoder.size)


def frames_of(video: Any) -> np.ndarray:
    """A video's frames as an array.

    Raises:
        UserError: it is not uint8 `T H W 3`.
    """
    try:
        frames = video.cpu().numpy() if isinstance(video, Tensor) else np.asarray(video)
    except ValueError as error:  # a list of frames of several sizes
        raise UserError(f"the video is no array T H W 3: {error}") from error
    if frames.ndim != 4 or frames.shape[3] != 3 or 0 in frames.shape:
        channels_first = frames.ndim == 4 and 3 in frames.shape[:2]
        turn = "torch.movedim" if isinstance(video, Tensor) else "numpy.moveaxis"
        place = frames.shape.index(3) if channels_first else -1
        way = f": its channels stand elsewhere, {turn}(video, {place}, -1) moves them" if channels_first else ""
        raise UserError(f"the video is of shape {frames.shape}; it should be T H W 3, RGB, channels last{way}")
    if frames.dtype != np.uint8:
        raise UserError(
            f"the video is {frames.dtype}, from {frames.min():g} to {frames.max():g}; it should be uint8, 0 to 255: "
            "scale it and convert it, as in (video * 255).round().astype('uint8') where it is from 0 to 1"
        )
    return frames


def check_clips(encoder: nn.Module, given: tuple[Any, ...]) -> None:
    """A hook before an encoder's forward pass: refuse what it would make features of that mean nothing.

    Raises:
        UserError: the input is no clips of its size, or not on its scale.
    """
    assert isinstance(encoder, Encoder)
    clips = given[0] if given else None
    if clips is None or torch.compiler.is_compiling():
        return
    wanted = (3, encoder.frames, encoder.size, encoder.size)
    if not isinstance(clips, Tensor):
        raise UserError(f"the encoder takes a tensor B 3 T H W, not {type(clips).__name__}; {HELP}")
    if clips.dim() != 5 or tuple(clips.shape[1:]) != wanted:
        raise UserError(f"the encoder takes clips B {wanted}, B 3 T H W, not {tuple(clips.shape)}; {HELP}")
    if not clips.is_floating_point():
        raise UserError(f"the encoder takes float clips in [-1, 1], not {clips.dtype}; {HELP}")
    if clips.is_meta or not clips.numel():
        return
    least, most = (float(value) for value in clips.detach().aminmax())
    if not -LIMIT <= least <= most <= LIMIT:
        raise UserError(f"the encoder takes clips in [-1, 1], these are from {least:.4g} to {most:.4g}; {HELP}")
