"""The settings of a preparation: the data set, its masks, and how the store keeps them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fbm.data.dataset import Video, VideoDataset
from fbm.data.decoding.decoders import check_decoder
from fbm.data.decoding.video import Decoder
from fbm.data.masks.source import MaskSource, VideoMasks
from fbm.data.store.kinds.choose import frame_kind
from fbm.data.store.kinds.kind import FrameKind
from fbm.data.store.manifest import StoredVideo
from fbm.data.store.prepare_video import PrepareJob


@dataclass(frozen=True)
class Preparation:
    """What a store is to hold, and how it is made; one preparation and each of its shards take the same.

    Attributes:
        masks: None stores no masks (`masks_name` is then "none").
        size: of the stored frames, pixels.
        workers: child processes; None takes one a core.
        timeout: seconds that a file of up to 1,000 frames may take, longer ones in proportion.
        settings: see `Manifest`.
        drop_classes: allow classes of the store to be removed that `source` does not have.
        decoder: of the frames, the same for the whole store.
        frames, quality: how frames are kept, see `frame_kind`; `kind` is the kind that they name.

    Raises:
        UserError: the decoder cannot be used here, or there is no such kind of frames.
    """

    source: VideoDataset
    masks: MaskSource | None
    masks_name: str
    store: Path
    size: int
    workers: int | None
    timeout: float
    settings: dict[str, Any] = field(default_factory=dict)
    drop_classes: bool = False
    decoder: Decoder = "pyav"
    frames: str = "raw"
    quality: int | None = None
    kind: FrameKind = field(init=False)

    def __post_init__(self) -> None:
        check_decoder(self.decoder)
        # Now, before anything is read or written.
        object.__setattr__(self, "kind", frame_kind(self.frames, self.quality, self.decoder))

    def job(self, video: Video, video_masks: VideoMasks | None, decoded: StoredVideo | None) -> PrepareJob:
        """The job of one of its videos, see `PrepareJob`."""
        return PrepareJob(video, self.store, self.size, self.masks_name, video_masks, decoded, self.kind, self.decoder)
