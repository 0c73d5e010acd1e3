"""Checks an encoder against the contract of `Encoder` before anything is trained."""

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fbm.models.encoder import Encoder
from fbm.utils.errors import UserError
from fbm.utils.memory import out_of_memory

TORCH = Path(torch.__file__).parent


def checked_encoder(make: Callable[[], Any], frames: int, size: int, crops: bool = False) -> Encoder:
    """Make an encoder and check that it keeps the contract; one clip of zeros goes through it, in evaluation mode.

    Args:
        frames: of the clips that it will get.
        size: of the stored frames, of which these are.
        crops: the clips may be smaller than the frames.

    Raises:
        UserError: names what is missing or wrong.
    """
    try:
        made = make()
    except UserError:
        raise
    except Exception as error:  # a user's code may raise anything
        if out_of_memory(error):
            raise
        raise UserError(f"encoder: it cannot be made: {_describe(error)}") from error
    name = type(made).__name__
    if not isinstance(made, Encoder):
        raise UserError(
            f"encoder: {name} is not an encoder: derive it from fbm.models.encoder.Encoder, whose docstring "
            "says what it needs (docs/encoders.md)"
        )
    _check_attributes(made, name)
    for key, source, expected in (("frames", "data.clip_frames", frames), ("size", "data.size", size)):
        own = getattr(made, key)
        if own != expected and not (key == "size" and crops and own < expected):
            smaller = key == "size" and own < expected
            remedy = ", or augment=crop, which takes clips out of larger frames" if smaller else ""
            raise UserError(
                f"encoder: {name} has {key}={own}, but its clips have {source}={expected}: they must be equal{remedy}"
            )
    _check_output(made, name)
    return made


def _check_attributes(encoder: Encoder, name: str) -> None:
    for key, meaning in (
        ("frames", "number of frames of a clip"),
        ("size", "height and width of the frames in pixels"),
        ("feature_shape", "channels, height and width of one clip's features"),
    ):
        if not hasattr(encoder, key):
            raise UserError(f"encoder: {name} has no attribute {key} ({meaning}): set it in __init__")
        value = getattr(encoder, key)
        values = value if key == "feature_shape" else (value,)
        whole = isinstance(values, tuple) and all(type(number) is int and number > 0 for number in values)
        if not whole or len(values) != (3 if key == "feature_shape" else 1):
            kind = "a tuple of three whole numbers" if key == "feature_shape" else "a whole number"
            raise UserError(f"encoder: {name} has {key}={value!r} ({meaning}): it should be {kind} above 0")
    for key in ("norm", "mapping_norm"):
        if getattr(encoder, key) not in ("batch", "group"):
            raise UserError(f"encoder: {name} has {key}={getattr(encoder, key)!r}: it should be 'batch' or 'group'")


@torch.no_grad()
def _check_output(encoder: Encoder, name: str) -> None:
    shape = (1, 3, *encoder.clip_shape)
    modes = {part: part.training for part in encoder.modules()}  # a part may be frozen in evaluation mode
    try:
        features: Any = encoder.eval()(torch.zeros(shape))
    except Exception as error:  # a user's code may raise anything
        if out_of_memory(error):
            raise
        raise UserError(f"encoder: {name} fails on a clip of shape {shape} (1 3 T H W): {_describe(error)}") from error
    finally:
        for part, mode in modes.items():
            part.training = mode
    if not isinstance(features, Tensor) or not features.is_floating_point():
        kind = features.dtype if isinstance(features, Tensor) else type(features).__name__
        raise UserError(f"encoder: {name} returns {kind} for a clip: forward should return one float tensor B C h w")
    expected = (1, *encoder.feature_shape)
    if tuple(features.shape) != expected:
        raise UserError(
            f"encoder: {name} returns {tuple(features.shape)} for a clip of shape {shape}; by its feature_shape it "
            f"should be {expected} (B C h w)"
        )


def _describe(error: Exception) -> str:
    """The error that a user's code raised, and its place."""
    places = traceback.extract_tb(error.__traceback__)
    own = [place for place in places if not Path(place.filename).is_relative_to(TORCH)]
    place = (own or places)[-1]
    return f"{type(error).__name__}: {error} ({place.filename}:{place.lineno})"
