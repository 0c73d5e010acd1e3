"""Several clips of each test video, evenly spaced over it, as published accuracies are measured (10 per video)."""

from collections.abc import Sequence
from typing import Any

from fbm.data.clips import ClipDataset, evenly_spaced, span_of
from fbm.data.store.frame_store import FrameStore
from fbm.data.store.manifest import StoredVideo


def view_starts(frames: int, span: int, clips: int) -> list[int]:
    """First frames of evenly spaced clips from a video's first frame to its last; one is the middle.

    Fewer where there are fewer places, none where the video is shorter than a clip.

    Args:
        frames: of the video.
        span: those from a clip's first to its last one.
        clips: how many.
    """
    places = frames - span + 1
    if places < 1:
        return []
    return [(places - 1) // 2] if clips == 1 else evenly_spaced(places, clips)


class ViewDataset(ClipDataset):
    """So many clips of each video of a split in place of one per chunk; a sample is one of them.

    A video shorter than a chunk has clips, too.

    Args:
        store, split, clip_frames, seed, classes, frame_interval: as of `ClipDataset`.
        clips: of each video.
    """

    def __init__(
        self,
        store: FrameStore,
        split: str,
        clip_frames: int,
        seed: int,
        clips: int,
        classes: Sequence[str],
        frame_interval: int = 1,
    ) -> None:
        self.clips = clips
        more: dict[str, Any] = {"random_windows": False, "classes": classes, "frame_interval": frame_interval}
        super().__init__(store, split, span_of(clip_frames, frame_interval), clip_frames, seed, **more)

    def _take(self, videos: list[StoredVideo]) -> None:
        super()._take(videos)
        starts = [view_starts(video.frames, self.span, self.clips) for video in videos]
        self.samples = [(number, start) for number, of_video in enumerate(starts) for start in of_video]
