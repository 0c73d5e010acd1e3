"""The kind of frames from its settings."""

from typing import Any

from fbm.data.decoding.decoders import check_decoder
from fbm.data.decoding.video import Decoder
from fbm.data.store.kinds.encoded import DEFAULT_QUALITY, Encoded
from fbm.data.store.kinds.files import Files
from fbm.data.store.kinds.kind import FrameKind
from fbm.data.store.kinds.raw import RAW
from fbm.data.store.manifest import Manifest
from fbm.utils.errors import UserError

KINDS = ("raw", "jpeg", "webp", "files")


def frame_kind(frames: Any, quality: Any = None, decoder: Decoder = "pyav") -> FrameKind:
    """The kind named by `data.frames`.

    Args:
        quality: of jpeg and webp; None takes the default.
        decoder: of files.

    Raises:
        UserError: there is no such kind, it has no such quality, or the decoder cannot be used here.
    """
    if frames in ("jpeg", "webp"):
        quality = DEFAULT_QUALITY if quality is None else quality
        if not isinstance(quality, int) or isinstance(quality, bool) or not 1 <= quality <= 100:
            raise UserError(f"data.quality={quality}: it should be a whole number from 1 to 100, or null")
        return Encoded(frames, quality)
    if frames not in KINDS:
        raise UserError(f"data.frames={frames}: it should be {', '.join(KINDS[:-1])} or {KINDS[-1]}")
    if quality is not None:
        raise UserError(f"data.quality={quality} is for data.frames=jpeg and webp, not {frames}: leave it out")
    if frames == "raw":
        return RAW
    check_decoder(decoder)  # here, not in the loader's processes
    return Files(decoder)


def kind_of(manifest: Manifest) -> FrameKind:
    """The kind of a store."""
    return frame_kind(manifest.frames, manifest.quality, manifest.decoder)
