"""Several clips of each test video, evenly spaced over it, as published accuracies are measured (10 per video)."""

from collections.abc import Sequence

from fbm.data.clips import ClipDataset, evenly_spaced
from fbm.data.store.frame_store import FrameStore
from fbm.data.store.manifest import StoredVideo


def view_starts(frames: int, clip_frames: int, clips: int) -> list[int]:
    """First frames of evenly spaced clips from a video's first frame to its last; one is the middle.

    Fewer where there are fewer places, none where the video is shorter than a clip.
    """
    places = frames - clip_frames + 1
    if places < 1:
        return []
    return [(places - 1) // 2] if clips == 1 else evenly_spaced(places, clips)


class ViewDataset(ClipDataset):
    """So many clips of each video of a split in place of one per chunk; a sample is one of them.

    A video shorter than a chunk has clips, too.

    Args:
        store, split, clip_frames, seed, classes: as of `ClipDataset`.
        clips: of each video.
    """

    def __init__(
        self, store: FrameStore, split: str, clip_frames: int, seed: int, clips: int, classes: Sequence[str]
    ) -> None:
        self.clips = clips
        super().__init__(store, split, clip_frames, clip_frames, seed, random_windows=False, classes=classes)

    def _take(self, videos: list[StoredVideo]) -> None:
        super()._take(videos)
        starts = [view_starts(video.frames, self.clip_frames, self.clips) for video in videos]
        self.samples = [(number, start) for number, of_video in enumerate(starts) for start in of_video]
